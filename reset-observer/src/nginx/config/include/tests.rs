use super::super::table::Table;

fn found(pattern: &str) -> Vec<String> {
    let files = [
        "/etc/nginx/conf.d/b.conf",
        "/etc/nginx/conf.d/a.conf",
        "/etc/nginx/conf.d/B.conf",
        "/etc/nginx/conf.d/.x.conf",
        "/etc/nginx/conf.d/a.conf~",
        "/srv/one/nginx/site",
        "/srv/two/nginx/site",
        "/srv/two/other",
        "/srv/a*",
    ];
    let table = Table::new(files.map(|path| (path, "")));
    super::files(&table, pattern.as_bytes()).unwrap().iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn a_pattern_without_wildcards_is_a_file_that_need_not_be_there() {
    assert_eq!(found("/nowhere/a.conf"), ["/nowhere/a.conf"]);
}

#[test]
fn matches_come_in_the_order_of_their_bytes_and_without_hidden_files() {
    let expected = ["/etc/nginx/conf.d/B.conf", "/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"];
    assert_eq!(found("/etc/nginx/conf.d/*.conf"), expected);
}

#[test]
fn directories_may_be_wild_too() {
    assert_eq!(found("/srv/*/nginx/*"), ["/srv/one/nginx/site", "/srv/two/nginx/site"]);
    assert_eq!(found("/srv/*/nginx/site"), ["/srv/one/nginx/site", "/srv/two/nginx/site"]);
    assert_eq!(found("/srv/*/other"), ["/srv/two/other"]);
}

#[test]
fn no_match_is_no_error() {
    assert_eq!(found("/nowhere/*"), [""; 0]);
    assert_eq!(found("/etc/nginx/conf.d/[xyz]*"), [""; 0]);
}

#[test]
fn a_backslash_makes_a_wildcard_plain() {
    assert_eq!(found(r"/srv/a\*"), ["/srv/a*"]);
}

#[test]
fn slashes_stay_as_they_are_written() {
    assert_eq!(found("/etc/nginx//conf.d/a.*f"), ["/etc/nginx//conf.d/a.conf"]);
}
