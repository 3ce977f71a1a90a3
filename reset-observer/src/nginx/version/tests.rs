use super::*;

/// A binary with these lines somewhere in it.
fn binary(lines: &[&str], before: usize) -> Vec<u8> {
    let mut bytes = vec![0x90; before];
    for line in lines {
        bytes.push(0);
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\n\0");
    }
    bytes.extend_from_slice(&[0xcc; 5000]);
    bytes
}

fn version(lines: &[&str]) -> String {
    Build::scan(&*binary(lines, 100)).unwrap().version.map_or_else(|| "none".into(), |version| version.to_string())
}

#[test]
fn products_are_told_apart_with_the_nginx_they_are_built_on() {
    assert_eq!(version(&["nginx version: nginx/1.22.1"]), "nginx/1.22.1");
    assert_eq!(version(&["nginx version: nginx/1.25.3 (nginx-plus-r31-p1)"]), "nginx/1.25.3");
    assert_eq!(version(&["nginx version: openresty/1.21.4.1"]), "openresty/1.21.4.1 (nginx 1.21.4)");
    assert_eq!(
        version(&["Tengine version: Tengine/3.1.0", "nginx version: nginx/1.24.0"]),
        "Tengine/3.1.0 (nginx 1.24.0)"
    );
    assert_eq!(version(&["nginx version: nginx/1.27.4", "Angie version: Angie/1.10.0"]), "Angie/1.10.0 (nginx 1.27.4)");
    assert_eq!(version(&["nginx version: freenginx/1.29.0"]), "freenginx/1.29.0");
    assert_eq!(version(&[]), "none");
    assert_eq!(version(&["nginx version: unknown"]), "none");
}

#[test]
fn texts_are_found_across_the_borders_of_chunks() {
    let lines = ["nginx version: nginx/1.29.7", "configure arguments: --prefix=/a --conf-path='/b/c' --prefix=/d"];
    for before in (CHUNK - 120..CHUNK + 2).chain([0, 3 * CHUNK - 20]) {
        let build = Build::scan(&*binary(&lines, before)).unwrap();
        assert_eq!(build.version.as_ref().and_then(|version| version.core), Some((1, 29, 7)), "{before}");
        assert_eq!((build.argument("prefix"), build.argument("conf-path")), (Some("/d"), Some("/b/c")), "{before}");
        assert_eq!(build.argument("pre"), None);
    }
}

#[test]
fn a_binary_that_ends_in_the_text_is_read() {
    let build = Build::scan(&b"\0nginx version: nginx/1.2.3"[..]).unwrap();
    assert_eq!(build.version.unwrap().core, Some((1, 2, 3)));
    assert_eq!(Build::scan(&b""[..]).unwrap(), Build::default());
}

#[test]
fn versions_are_compared_by_their_numbers() {
    let version = Version::parse("nginx/1.9.10").unwrap();
    assert_eq!((version.is_at_least((1, 9, 9)), version.is_at_least((1, 15, 3))), (Some(true), Some(false)));
    assert_eq!(Version::parse("Angie/1.10.0").unwrap().is_at_least((1, 0, 0)), None);
    assert_eq!(Version::parse("nginx"), None);
}
