use super::{super::table::Table, *};

const MAIN: &str = "/etc/nginx/nginx.conf";

fn tree<const N: usize>(files: [(&str, &str); N]) -> Tree {
    read(&Table::new(files), &Origin::file(MAIN))
}

fn problems<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    tree(files).problems.iter().map(ToString::to_string).collect()
}

fn names(directives: &[Directive]) -> Vec<String> {
    let one = |directive: &Directive| {
        let name = String::from_utf8_lossy(&directive.words.join(&b' ')).into_owned();
        let place = format!("{}:{}", directive.place.file.file_name().unwrap().display(), directive.place.line);
        let inner =
            directive.block.as_ref().map_or_else(String::new, |block| format!(" {{{}}}", names(block).join(" ")));
        format!("{name}@{place}{inner}")
    };
    directives.iter().map(one).collect()
}

#[test]
fn included_directives_stand_in_the_place_of_the_include_and_keep_their_own() {
    let tree = tree([
        (MAIN, "http {\n include conf.d/*.conf;\n include /srv/last;\n}\n"),
        ("/etc/nginx/conf.d/b.conf", "proxy_read_timeout 2s;"),
        ("/etc/nginx/conf.d/a.conf", "\nserver {\n listen 80;\n}"),
        ("/srv/last", "proxy_send_timeout 3s;"),
    ]);
    let http = "http@nginx.conf:1 {server@a.conf:2 {listen 80@a.conf:3} proxy_read_timeout 2s@b.conf:1 \
                proxy_send_timeout 3s@last:1}";
    assert_eq!(names(&tree.directives), [http]);
    let files: Vec<_> = tree.files.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(files, [MAIN, "/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf", "/srv/last"]);
    assert!(tree.problems.is_empty());
}

#[test]
fn what_does_not_matter_is_not_kept() {
    let tree = tree([(MAIN, "http { gzip on; types { text/html html; } map $a $b { proxy_pass x; } x { pid y; } }")]);
    assert_eq!(names(&tree.directives), ["http@nginx.conf:1 {}"]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
}

#[test]
fn tables_include_files_of_rows() {
    let tree = tree([
        (
            MAIN,
            "http { map $a $b { include rows; default 1; } types { include mime; } split_clients $a $b { include x; } }",
        ),
        ("/etc/nginx/rows", "proxy_pass ';';"),
        ("/etc/nginx/mime", "text/html html;"),
    ]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
    assert_eq!(tree.files.len(), 3);
}

#[test]
fn a_block_in_a_table_is_refused() {
    assert_eq!(problems([(MAIN, "http { map $a $b {\n a {} } }")]), [r#"unexpected "{" in /etc/nginx/nginx.conf:2"#]);
}

#[test]
fn lua_blocks_are_passed_over() {
    let text =
        "http { server { location / { content_by_lua_block { local t = {\"}\"} -- }\n }\n proxy_pass http://a; } } }";
    let tree = tree([(MAIN, text)]);
    assert!(tree.problems.is_empty(), "{:?}", tree.problems);
    let location = "location /@nginx.conf:1 {proxy_pass http://a@nginx.conf:3}";
    assert_eq!(names(&tree.directives), [format!("http@nginx.conf:1 {{server@nginx.conf:1 {{{location}}}}}")]);
}

#[test]
fn a_half_written_file_keeps_what_was_read_and_what_is_around_it() {
    let tree = tree([
        (MAIN, "http {\n include half;\n server { listen 81; }\n}"),
        ("/etc/nginx/half", "server {\n listen 80;\n proxy_pass http://a"),
    ]);
    let http = "http@nginx.conf:1 {server@half:1 {listen 80@half:2} server@nginx.conf:3 {listen 81@nginx.conf:3}}";
    assert_eq!(names(&tree.directives), [http]);
    let told: Vec<_> = tree.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, [r#"unexpected end of file, expecting ";" or "}" in /etc/nginx/half:3"#]);
}

#[test]
fn braces_pair_within_a_file() {
    let expected = r#"unexpected end of file, expecting "}" in /etc/nginx/open:1"#;
    assert_eq!(problems([(MAIN, "include open; }"), ("/etc/nginx/open", "http {")])[0], expected);
    let expected = r#"unexpected "}" in /etc/nginx/close:1"#;
    assert_eq!(problems([(MAIN, "http { include close; }"), ("/etc/nginx/close", "}")]), [expected]);
}

#[test]
fn a_file_that_includes_itself_is_told_once_with_the_line_that_does() {
    let expected = r#""/etc/nginx/a" includes itself: break the loop in /etc/nginx/b:2"#;
    let files = [(MAIN, "include a;"), ("/etc/nginx/a", "include b;"), ("/etc/nginx/b", "\ninclude a;")];
    assert_eq!(problems(files), [expected]);
    assert!(problems([(MAIN, "include nginx.conf;")])[0].contains("includes itself"));
}

#[test]
fn a_missing_file_is_told_and_a_missing_match_is_not() {
    let expected = r#""/etc/nginx/gone" does not exist: correct the path, or make the file in /etc/nginx/nginx.conf:1"#;
    assert_eq!(problems([(MAIN, "include gone; include gone/*;")]), [expected]);
    assert!(problems([])[0].contains("/etc/nginx/nginx.conf\" does not exist"));
}

#[test]
fn a_block_where_none_belongs_is_refused_and_a_missing_one_too() {
    let expected = r#"directive "server" has no opening "{" in /etc/nginx/nginx.conf:1"#;
    assert_eq!(problems([(MAIN, "http { server a; }")]), [expected]);
    let expected = r#"directive "server" is not terminated by ";" in /etc/nginx/nginx.conf:1"#;
    assert_eq!(problems([(MAIN, "http { upstream a { server b {} } }")]), [expected]);
    let expected = r#"invalid number of arguments in "include" directive in /etc/nginx/nginx.conf:1"#;
    assert_eq!(problems([(MAIN, "include;")]), [expected]);
}

#[test]
fn the_option_g_is_read_first_and_knows_no_blocks() {
    let origin = Origin { globals: b"daemon off; worker_processes 2;".to_vec(), ..Origin::file(MAIN) };
    let table = Table::new([(MAIN, "pid x;")]);
    let tree = read(&table, &origin);
    assert_eq!(names(&tree.directives), ["daemon off@-g:1", "worker_processes 2@-g:1", "pid x@nginx.conf:1"]);
    let tree = read(&table, &Origin { globals: b"events {}".to_vec(), ..Origin::file(MAIN) });
    assert_eq!(tree.problems[0].to_string(), "block directives are not supported in -g option in -g:1");
}

#[test]
fn files_that_multiply_are_bounded() {
    let tree = tree([
        (MAIN, &"include a;".repeat(100)),
        ("/etc/nginx/a", &"include b;".repeat(100)),
        ("/etc/nginx/b", &"include c;".repeat(100)),
        ("/etc/nginx/c", "pid x;"),
    ]);
    let told: Vec<_> = tree.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["more than 20000 files: the rest is not read in /etc/nginx/b:1"]);
    assert_eq!(tree.files.len(), 4);
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "http { ".to_owned() + &"location / { ".repeat(200) + &"}".repeat(201);
    assert!(problems([(MAIN, &deep)])[0].starts_with("more than 128 blocks lie in each other"));
    let large = "pid x; ".repeat(5 << 20);
    assert!(problems([(MAIN, &large)])[0].contains("brings the configuration over 32 MiB"));
    let many = "pid x;".repeat(500_000);
    assert!(problems([(MAIN, &many)])[0].starts_with("more than 400000 directives"));
}

#[test]
fn problems_are_bounded() {
    assert_eq!(problems([(MAIN, &"include gone; ".repeat(100))]).len(), MAX_PROBLEMS);
}
