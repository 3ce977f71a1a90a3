//! The reader of nginx's configuration beside nginx itself: what one accepts the other accepts, what it refuses is
//! refused in the same words at the same line, and the same files are read in the same order.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::programs;
use reset_observer::nginx::config::directive::Origin;
use reset_observer::nginx::config::locate::Invocation;
use reset_observer::nginx::config::source::Root;
use reset_observer::nginx::config::words::{Kind, Token, Tokens};
use reset_observer::nginx::config::{Configuration, running::Running};
use reset_observer::nginx::version::Build;

/// What nginx refuses without knowing any directive, which is what the reader has to refuse too.
const GRAMMAR: [&str; 6] = [
    "unexpected \"",
    "unexpected end of file",
    "too long parameter",
    "invalid number of arguments in \"include\"",
    "Lua code block missing the closing long bracket",
    "in upstream \"",
];

/// A scratch directory with a main file that includes `case.conf` inside `http {}`.
struct Bench {
    dir: tempfile::TempDir,
    modules: String,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), modules: String::new() };
        bench.write_main("include case.conf;");
        bench
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn write_main(&self, http: &str) {
        let dir = self.dir.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
            .concat();
        let modules = &self.modules;
        let text = format!(
            "{modules}pid {dir}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{http}\n}}\n"
        );
        fs::write(self.path("nginx.conf"), text).unwrap();
    }

    fn nginx(&self, option: &str) -> (bool, String) {
        let mut nginx = Command::new(programs::nginx().unwrap());
        nginx.arg(option).arg("-p").arg(self.dir.path()).args(["-e", "stderr", "-c"]).arg(self.path("nginx.conf"));
        if let Some(libraries) = env::var_os("LAB_NGINX_LUA") {
            let lib = Path::new(&libraries);
            nginx.env(
                "LD_LIBRARY_PATH",
                env::join_paths([lib.join("usr/lib/x86_64-linux-gnu"), lib.join("lib/x86_64-linux-gnu")]).unwrap(),
            );
        }
        let output = nginx.output().unwrap();
        let said = if option == "-T" { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn ours(&self) -> Configuration {
        Configuration::read(&Root::at(Path::new("/")).unwrap(), &Origin::file(self.path("nginx.conf")))
    }

    /// What is different between nginx and us about this text; nothing, one hopes.
    fn difference(&self, case: &[u8]) -> Option<String> {
        fs::write(self.path("case.conf"), case).unwrap();
        let (accepted, said) = self.nginx("-t");
        let ours: Vec<String> = self.ours().problems.iter().map(ToString::to_string).collect();
        let theirs =
            said.lines().find_map(|line| line.split_once("[emerg] ")?.1.split_once(": ")).map(|(_, says)| says);
        let agree = match (accepted, theirs, ours.first()) {
            (true, _, None) => true,
            (false, Some(theirs), Some(ours)) if is_grammar(theirs) => {
                // Of the line alone where we leave out what the module adds.
                theirs == ours || (theirs.contains("long bracket") && place(theirs) == place(ours))
            }
            // What only a module can refuse we pass over, but nothing before it.
            (false, Some(theirs), Some(ours)) => line(ours) >= line(theirs),
            (false, Some(theirs), None) => !is_grammar(theirs),
            _ => false,
        };
        let shown = case.escape_ascii();
        (!agree).then(|| format!("nginx {accepted}: {said}\nours: {ours:?}\ncase: {shown}"))
    }
}

fn is_grammar(message: &str) -> bool {
    // nginx looks names up, and we do not.
    !message.starts_with("host not found") && GRAMMAR.iter().any(|says| message.contains(says))
}

fn place(message: &str) -> Option<&str> {
    message.rsplit_once(" in ").map(|(_, place)| place)
}

fn line(message: &str) -> Option<u32> {
    message.rsplit_once(':')?.1.trim().parse().ok()
}

fn assert_agreed(cases: &[&[u8]]) {
    let bench = Bench::new();
    let differences: Vec<_> = cases.iter().filter_map(|case| bench.difference(case)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn tricky_words_are_read_as_nginx_reads_them() {
    let long = format!("gzip_types {};", "a".repeat(4095));
    let longer = format!("gzip_types {};", "a".repeat(4096));
    let quoted = |length| format!("gzip_types \"{}\" b;", "a".repeat(length));
    let comments = [4094, 4095, 4096].map(|length| format!("#{}\ngzip on;", "a".repeat(length)));
    let quotes = [4093, 4094, 4095, 4096].map(quoted);
    let mut cases: Vec<&[u8]> = vec![
        b"",
        b"# only a comment",
        b"gzip_types a b;",
        b"gzip_types \"a;{}#\" 'b\"';\r\ngzip on;\r\n",
        b"gzip_types a\\;b \\{ \\\" \\ c;",
        b"gzip_types \\\n;",
        b"gzip_types a}b ${c} $d{;",
        b"gzip_types 'a'b;",
        b"gzip_types 'a'\"b\";",
        b"gzip_types 'a');",
        b"server { if ($http_x = \"b\") { return 200; } }",
        b"gzip_types caf\xc3\xa9 \xff\xfe;",
        b"gzip_types a\nb\n;\n}",
        b"gzip_types a",
        b"gzip_types a # ;\n",
        b"gzip_types 'a",
        b"gzip_types \"a\\\";",
        b"gzip on;;",
        b"; gzip on;",
        b"{ gzip on; }",
        b"server { gzip on; ",
        b"server { gzip on }",
        b"server { gzip on; } }",
        b"server;",
        b"upstream a { server 127.0.0.1 { } }",
        b"include;",
        b"include a b;",
        b"include gone*;",
        b"map $http_a $b { default ';{}'; include gone*; }",
        b"map $http_a $b { a { b; } }",
        b"types { include gone*; a/b c; }",
        b"types { a/b { c; } }",
        b"server { location ~ ^/a{2}$ { return 200; } }",
        b"server { location ~ \"^/a{2}$\" { return 200; } }",
        b"server { location ~ ^/(a|b)${ return 200; } }",
    ];
    cases.extend([long.as_bytes(), longer.as_bytes()]);
    cases.extend(comments.iter().chain(&quotes).map(String::as_bytes));
    assert_agreed(&cases);
}

#[test]
fn addresses_are_accepted_and_refused_as_by_nginx() {
    let servers = [
        "127.0.0.1",
        "127.0.0.1:81",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:",
        "[::1]",
        "[::1]:81",
        "[::1",
        "[::1]81",
        "[::g]",
        "[]:80",
        ":80",
        "::1",
        "''",
        "127.1..1:80",
        "010.0.0.1:80",
        "127.0.0.1/a",
        "unix:",
        "unix:/a/b",
        "UNIX:/a",
        "127.0.0.1:8-9",
    ];
    let upstreams = servers.map(|server| format!("upstream a {{ server {server}; }}"));
    let passes = [
        "http://127.0.0.1",
        "https://127.0.0.1/a",
        "http://[::1]:81/x",
        "ftp://127.0.0.1",
        "http://127.0.0.1:0",
        "http://",
        "http://unix:/a:/b",
        "http://127.0.0.1?a",
        "127.0.0.1",
    ]
    .map(|url| format!("server {{ location /a/ {{ proxy_pass {url}; }} }}"));
    let listens = [
        "80",
        "*:81",
        "[::]:80",
        "127.0.0.1:8000-8001",
        "9000-9001",
        "9001-9000",
        "unix:/a/b",
        "0",
        "70000",
        "*:0",
        "127.0.0.1:",
        "[::1",
    ]
    .map(|address| format!("server {{ listen {address}; }}"));
    let texts: Vec<&[u8]> = upstreams.iter().chain(&passes).chain(&listens).map(String::as_bytes).collect();
    assert_agreed(&texts);
}

#[test]
fn times_are_accepted_and_refused_as_by_nginx() {
    let bench = Bench::new();
    for time in [
        "60",
        "60s",
        "500ms",
        "1m30s",
        "1h 30m",
        "1m 30",
        "30s1m",
        "1y",
        "1M",
        "1d12h",
        "abc",
        "1.5s",
        "-1",
        "''",
        "1s1s",
        "9223372036854775807",
        "9223372036854775",
        "1ms1s",
        "1h30",
        "s",
        "1 s",
    ] {
        let text = format!("upstream a {{ server 127.0.0.1; keepalive 2; keepalive_timeout '{time}'; }}");
        fs::write(bench.path("case.conf"), text).unwrap();
        let (accepted, said) = bench.nginx("-t");
        assert_eq!(bench.ours().problems.is_empty(), accepted, "{time}: {said}{:?}", bench.ours().problems);
    }
}

/// A generator of numbers that needs no crate (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn soup(&mut self, pieces: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

#[test]
fn a_thousand_soups_of_quotes_and_braces_are_refused_alike() {
    let pieces = [
        "gzip_types ",
        "gzip_types ",
        " ",
        "\n",
        ";",
        ";\n",
        "'",
        "\"",
        "\\",
        "$",
        "${",
        "{",
        "}",
        "}\n",
        "#",
        "a",
        "b ",
        "\r\n",
        ")",
        "server {\n",
        "location /a {",
        "map $http_a $b {",
        "types {",
        "include none*;",
        "é",
    ];
    let (bench, mut dice) = (Bench::new(), Dice(0x9e37_79b9_7f4a_7c15));
    let soups = (0..1000).map(|_| dice.soup(&pieces, 14));
    let differences: Vec<_> = soups.filter_map(|soup| bench.difference(soup.as_bytes())).collect();
    assert!(differences.is_empty(), "{} differ, such as {}", differences.len(), differences[0]);
}

/// nginx repeats a log level that it does not know, which shows what it made of the word.
#[test]
fn escapes_are_taken_away_as_by_nginx() {
    let pieces = ["\\", "\\\\", "\\\"", "\\'", "\\n", "\\t", "\\r", "\\x", "a", "$", "${", "}", "\\ ", "\\;", "é", "#"];
    let (bench, mut dice) = (Bench::new(), Dice(42));
    let mut compared = 0;
    for round in 0..300 {
        let quote = ["", "'", "\""][round % 3];
        let text = format!("error_log stderr {quote}a{}{quote};", dice.soup(&pieces, 8));
        let Ok(Token::Simple(statement)) = Tokens::new(text.as_bytes(), Kind::File).next_token() else { continue };
        fs::write(bench.path("case.conf"), &text).unwrap();
        let (_, said) = bench.nginx("-t");
        if let [_, _, word] = statement.words.as_slice() {
            let expected = format!("invalid log level \"{}\" in", String::from_utf8_lossy(word));
            assert!(said.contains(&expected), "{text}: {said} should say {expected}");
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared} were compared");
}

#[test]
fn included_files_come_in_the_order_of_nginx() {
    let bench = Bench::new();
    let files = [
        "conf.d/b.conf",
        "conf.d/a.conf",
        "conf.d/B.conf",
        "conf.d/10.conf",
        "conf.d/9.conf",
        "conf.d/é.conf",
        "conf.d/.x.conf",
        "conf.d/a.conf~",
        "sites/z/site",
        "sites/a/site",
        "sites/a/other",
        "sites/[x]/site",
        "mime",
        "rows",
    ];
    for file in files {
        fs::create_dir_all(bench.path(file).parent().unwrap()).unwrap();
        fs::write(bench.path(file), "# nothing\n").unwrap();
    }
    fs::write(bench.path("conf.d/a.conf"), "include rows; include ../x*; include mime;").unwrap();
    symlink(bench.path("sites"), bench.path("linked")).unwrap();
    let dir = bench.dir.path().display();
    bench.write_main(&format!(
        "include conf.d/*.conf;\ntypes {{ include mime; }}\ninclude {dir}//sites/*/site;\ninclude sites/[az]/[^o]*;\n\
         include linked/?/site;\ninclude 'sites/\\[x\\]/s*';\nmap $http_a $b {{ include rows*; }}\ninclude none/*;\n\
         include conf.d/[0-9]*;include conf.d/[[:alpha:]].conf; include conf.d/*[!~];"
    ));
    assert_same_files(&bench);
    assert!(bench.ours().files.len() > 12, "{:?}", bench.ours().files);
}

fn assert_same_files(bench: &Bench) {
    let (accepted, dump) = bench.nginx("-T");
    assert!(accepted, "{}", bench.nginx("-t").1);
    let theirs: Vec<_> = dump
        .lines()
        .filter_map(|line| line.strip_prefix("# configuration file ")?.strip_suffix(':'))
        .map(str::to_owned)
        .collect();
    let ours = bench.ours();
    assert!(ours.problems.is_empty(), "{:?}", ours.problems);
    let files: Vec<_> = ours.files.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(files, theirs);
}

/// Debian's own files, with their absolute paths led to where the package was unpacked.
#[test]
fn debians_configuration_is_read_as_nginx_reads_it() {
    let unpacked = programs::nginx().unwrap().ancestors().nth(3).unwrap().join("etc/nginx");
    if !unpacked.is_dir() {
        println!("left out: nginx was not unpacked from its package, so its files are not at {}", unpacked.display());
        return;
    }
    let bench = Bench::new();
    Command::new("cp").arg("-rT").arg(&unpacked).arg(bench.dir.path()).status().unwrap();
    let dir = bench.dir.path().display().to_string();
    symlink(bench.path("sites-available/default"), bench.path("sites-enabled/default")).unwrap();
    let main =
        fs::read_to_string(bench.path("nginx.conf")).unwrap().replace("/etc/nginx", &dir).replace("www-data", "root");
    let main = main.replace("/run/nginx.pid", &format!("{dir}/pid")).replace("/var/log/nginx", &dir);
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {dir}/{kind};"));
    fs::write(bench.path("nginx.conf"), main.replace("http {", &format!("http {{ {}", temporary.concat()))).unwrap();
    assert_same_files(&bench);
    let ours = bench.ours();
    let listens: Vec<_> = ours.servers[0].listens.iter().map(|listen| listen.endpoint.to_string()).collect();
    assert_eq!(listens, ["0.0.0.0:80", "[::]:80"]);
}

/// `LAB_NGINX_EXAMPLES` names a directory of configuration files, such as the examples in nginx's documentation.
#[test]
fn examples_are_read_as_nginx_reads_them_wherever_they_stand() {
    let Some(examples) = env::var_os("LAB_NGINX_EXAMPLES").map(PathBuf::from) else {
        println!("left out: LAB_NGINX_EXAMPLES does not say where the examples are");
        return;
    };
    let (bench, mut differences) = (Bench::new(), Vec::new());
    for example in fs::read_dir(examples).unwrap() {
        let text = fs::read_to_string(example.unwrap().path()).unwrap();
        for (before, after) in [("", ""), ("server {\n", "}\n"), ("server { location / {\n", "} }\n")] {
            differences.extend(bench.difference(format!("{before}{text}{after}").as_bytes()));
        }
    }
    assert!(differences.is_empty(), "{} differ, such as {}", differences.len(), differences.join("\n"));
}

#[test]
fn the_binary_says_its_version_and_where_its_configuration_is() {
    let nginx = programs::nginx().unwrap();
    let build = Build::scan(fs::File::open(&nginx).unwrap()).unwrap();
    let output = Command::new(&nginx).arg("-V").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = build.version.as_ref().unwrap().to_string();
    assert!(said.starts_with(&format!("nginx version: {version}")), "{version}: {said}");
    assert!(said.contains(&format!("configure arguments: {}", build.arguments.as_deref().unwrap())), "{build:?}");
    let main = Invocation::default().origin(&build, Path::new("/")).main;
    assert!(said.contains(&format!("--conf-path={}", main.display())), "{main:?}");
}

#[test]
fn a_running_nginx_is_asked_for_nothing() {
    let bench = Bench::new();
    let text = "upstream a { server 10.0.0.1:3000; keepalive 7; }\nserver { listen unix:SOCKET; }";
    let socket = bench.path("socket").display().to_string();
    fs::write(bench.path("case.conf"), text.replace("SOCKET", &socket)).unwrap();
    let (configuration, prefix) = (bench.path("nginx.conf"), bench.dir.path());
    let launch = lab::child::Launch::new("nginx", programs::nginx().unwrap())
        .gently()
        .arg("-p")
        .arg(prefix)
        .arg("-c")
        .arg(&configuration);
    let master = launch.args(["-e", "stderr", "-g", "daemon off; worker_processes 2; user root;"]).start().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !bench.path("pid").exists() {
        assert!(std::time::Instant::now() < deadline, "nginx did not come up: {:?}", master.stderr.all());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let running = Running::read(master.pid()).unwrap();
    assert!(running.configuration.problems.is_empty(), "{:?}", running.configuration.problems);
    assert_eq!(running.configuration.worker_processes.as_deref(), Some("2"));
    assert_eq!(
        running.configuration.upstreams[0].place.to_string(),
        format!("{}:1", bench.path("case.conf").display())
    );
    let found = running.index.label("10.0.0.1:3000".parse().unwrap()).unwrap();
    assert_eq!((found.name().as_deref(), found.server()), (Some("a"), Some("10.0.0.1:3000")));
    assert!(running.version.is_some());
}

/// `LAB_NGINX_LUA` names a directory where Debian's libnginx-mod-http-lua and what it needs are unpacked.
#[test]
fn lua_blocks_end_where_the_lua_module_ends_them() {
    let Some(root) = env::var_os("LAB_NGINX_LUA").map(PathBuf::from) else {
        println!("left out: LAB_NGINX_LUA does not say where the Lua module is");
        return;
    };
    let modules = root.join("usr/lib/nginx/modules");
    let load = |name: &str| format!("load_module {}/{name};\n", modules.display());
    let mut bench = Bench::new();
    bench.modules = load("ndk_http_module.so") + &load("ngx_http_lua_module.so");
    bench.write_main(&format!("lua_package_path '{}/usr/share/lua/5.1/?.lua;;';\ninclude case.conf;", root.display()));
    let pieces = [
        "{", "}", "\"", "'", "\\", "--", "--[[", "--[=[", "[[", "]]", "[=[", "]=]", "[", "]", "=", "\n", "\n", "a",
        " ", "-",
    ];
    let mut dice = Dice(7);
    let mut differences = Vec::new();
    for _ in 0..500 {
        let code = dice.soup(&pieces, 20);
        let case = format!("server {{ location / {{\ncontent_by_lua_block {{a {code}}}\n}} }}\n");
        differences.extend(bench.difference(case.as_bytes()));
    }
    assert!(differences.is_empty(), "{} differ, such as {}", differences.len(), differences[0]);
}
