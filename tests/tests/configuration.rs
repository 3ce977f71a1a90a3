//! The reader of nginx's configuration beside nginx itself: what one accepts the other accepts, what it refuses is
//! refused in the same words at the same line, and the same files are read in the same order.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "configuration/bench.rs"]
mod bench;
#[path = "configuration/files.rs"]
mod files;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use bench::{Bench, Dice};
use lab::programs;
use reset_observer::nginx::config::words::{Kind, Token, Tokens};

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

/// Those of ours, those of all of Debian's packages of nginx, and those in a directory that `LAB_NGINX_EXAMPLES` names,
/// such as the examples in nginx's documentation.
#[test]
fn examples_are_read_as_nginx_reads_them_wherever_they_stand() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration/corpus");
    let given = env::var_os("LAB_NGINX_EXAMPLES").map(PathBuf::from);
    let (bench, mut differences) = (Bench::with_lua(), Vec::new());
    for directory in [Some(ours), programs::nginx_packages(), given].into_iter().flatten() {
        let files = files_below(&directory);
        println!("{}: {} files, each in three places", directory.display(), files.len());
        assert!(!files.is_empty());
        for file in files {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            for (before, after) in [("", ""), ("server {\n", "}\n"), ("server { location / {\n", "} }\n")] {
                let difference = bench.difference(format!("{before}{text}{after}").as_bytes());
                differences.extend(difference.map(|says| format!("{}: {says}", file.display())));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ, such as {}", differences.len(), differences.join("\n"));
}

/// Every `*.conf` below, links left out.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "conf") {
            files.push(path);
        }
    }
    files
}

#[test]
fn what_ours_hold_is_accepted_by_nginx_but_for_the_half_written_one() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration/corpus");
    let has_lua = programs::nginx_packages().is_some();
    let bench = Bench::with_lua();
    for file in files_below(&corpus) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "lua" && !has_lua {
            continue;
        }
        fs::copy(&file, bench.path("case.conf")).unwrap();
        let (accepted, said) = bench.nginx("-t");
        assert_eq!(accepted, name != "half", "{name}: {said}");
    }
}

#[test]
fn lua_blocks_end_where_the_lua_module_ends_them() {
    if programs::nginx_packages().is_none() {
        return;
    }
    let bench = Bench::with_lua();
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
