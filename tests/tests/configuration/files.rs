//! Which files are read: those that an include names, those of Debian, those of a running nginx.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::programs;
use reset_observer::nginx::config::locate::Invocation;
use reset_observer::nginx::config::running::Running;
use reset_observer::nginx::version::Build;
use rustix::process::Signal;

use crate::bench::Bench;

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
    fs::write(bench.path("conf.d/a.conf"), "include rows; include ./x*; include mime;").unwrap();
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

/// A running nginx, which ends its workers before it ends.
struct Master(lab::child::Child);

impl Master {
    fn pid(&self) -> u32 {
        self.0.pid()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let ended = self.0.signal(Signal::TERM).and_then(|()| self.0.wait(Duration::from_secs(5)));
        if let Err(error) = ended {
            eprintln!("nginx may have left its workers behind: {error:#}");
        }
    }
}

/// Starts what leads to nginx with this bench's configuration, and waits until nginx is up.
fn start(bench: &Bench, launch: lab::child::Launch) -> Master {
    let launch = launch.gently().arg("-p").arg(bench.dir.path()).arg("-c").arg(bench.path("nginx.conf"));
    let master = launch.args(["-e", "stderr", "-g", "daemon off; worker_processes 2; user root;"]).start().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !bench.path("pid").exists() {
        assert!(std::time::Instant::now() < deadline, "nginx did not come up: {:?}", master.stderr.all());
        std::thread::sleep(Duration::from_millis(5));
    }
    Master(master)
}

/// An upstream block of this name, and a server that needs no port.
fn upstream(bench: &Bench, name: &str) -> String {
    let socket = bench.path("socket");
    format!("upstream {name} {{ server 10.0.0.1:3000; keepalive 7; }}\nserver {{ listen unix:{}; }}", socket.display())
}

#[test]
fn a_running_nginx_is_asked_for_nothing() {
    let bench = Bench::new();
    fs::write(bench.path("case.conf"), upstream(&bench, "a")).unwrap();
    let master = start(&bench, lab::child::Launch::new("nginx", programs::nginx().unwrap()));
    let running = Running::read(master.pid()).unwrap();
    assert!(running.configuration.problems.is_empty(), "{:?}", running.configuration.problems);
    assert_eq!(running.configuration.worker_processes.as_deref(), Some("2"));
    let place = format!("{}:1", bench.path("case.conf").display());
    assert_eq!(running.configuration.upstreams[0].place.to_string(), place);
    let found = running.index.label("10.0.0.1:3000".parse().unwrap()).unwrap();
    assert_eq!((found.name().as_deref(), found.server()), (Some("a"), Some("10.0.0.1:3000")));
    assert!(running.version.is_some());
}

#[test]
fn an_absolute_link_is_followed_where_nginx_sees_it() {
    if !programs::has_root() {
        return;
    }
    let bench = Bench::new();
    for (place, name) in [("seen", "of_the_host"), ("own", "of_the_container")] {
        fs::create_dir(bench.path(place)).unwrap();
        fs::write(bench.path(place).join("target"), upstream(&bench, name)).unwrap();
    }
    symlink(bench.path("seen/target"), bench.path("case.conf")).unwrap();
    // In a mount namespace of its own, nginx sees another directory at the path of the link's target.
    let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
    let launch = lab::child::Launch::new("nginx", "unshare").args(["--mount", "--propagation", "private", "sh", "-c"]);
    let launch =
        launch.args([script, "sh"]).arg(bench.path("own")).arg(bench.path("seen")).arg(programs::nginx().unwrap());
    let master = start(&bench, launch);
    let running = Running::read(master.pid()).unwrap();
    assert_eq!(running.configuration.upstreams[0].name, "of_the_container", "{:?}", running.configuration.problems);
    assert_eq!(bench.ours().upstreams[0].name, "of_the_host");
}
