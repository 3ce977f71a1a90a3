use super::*;

fn read(text: &str) -> String {
    server(text.as_bytes(), Some(80)).map_or_else(|says| format!("refused: {says}"), |endpoint| format!("{endpoint}"))
}

#[test]
fn servers_are_addresses_names_or_sockets() {
    for (text, expected) in [
        ("10.0.0.1", "10.0.0.1:80"),
        ("10.0.0.1:8080", "10.0.0.1:8080"),
        ("010.0.0.01:8080", "10.0.0.1:8080"),
        ("[::1]", "[::1]:80"),
        ("[::1]:8080", "[::1]:8080"),
        ("backend", "backend:80"),
        ("backend:3000", "backend:3000"),
        ("10.0.0", "10.0.0:80"),
        ("1.2.3.256:1", "1.2.3.256:1"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("UNIX:/run/app.sock", "unix:/run/app.sock"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn what_nginx_refuses_is_refused_in_its_words() {
    for (text, expected) in [
        ("", "no host"),
        (":80", "no host"),
        ("[]:80", "no host"),
        ("[::1", "invalid host"),
        ("[::1]80", "invalid host"),
        ("[::g]:80", "invalid IPv6 address"),
        ("a/b", "invalid host"),
        ("a:0", "invalid port"),
        ("a:65536", "invalid port"),
        ("a:", "invalid port"),
        ("::1", "invalid port"),
        ("unix:", "no path in the unix domain socket"),
    ] {
        assert_eq!(read(text), format!("refused: {expected}"), "{text}");
    }
}

#[test]
fn a_url_ends_with_its_server() {
    let read = |text: &str| server_in_url(text.as_bytes(), Some(443)).unwrap().to_string();
    assert_eq!(read("10.0.0.1/a:b"), "10.0.0.1:443");
    assert_eq!(read("backend:3000/a"), "backend:3000");
    assert_eq!(read("backend?x=/"), "backend:443");
    assert_eq!(read("[::1]:81/"), "[::1]:81");
    assert_eq!(read("unix:/run/app.sock:/uri"), "unix:/run/app.sock");
}

#[test]
fn listening_addresses_may_be_ports_stars_and_ranges() {
    for (text, expected, ports) in [
        ("80", "0.0.0.0:80", 80..=80),
        ("8000-8010", "0.0.0.0:8000", 8000..=8010),
        ("*:81", "0.0.0.0:81", 81..=81),
        ("*", "0.0.0.0:80", 80..=80),
        ("[::]:80", "[::]:80", 80..=80),
        ("[::]", "[::]:80", 80..=80),
        ("127.0.0.1", "127.0.0.1:80", 80..=80),
        ("127.0.0.1:8000-8001", "127.0.0.1:8000", 8000..=8001),
        ("localhost:8000", "localhost:8000", 8000..=8000),
        ("unix:/run/nginx.sock", "unix:/run/nginx.sock", 0..=0),
    ] {
        let (endpoint, found) = listen(text.as_bytes()).unwrap();
        assert_eq!((endpoint.to_string().as_str(), found), (expected, ports), "{text}");
    }
    for text in ["0", "70000", "90-80", "a:b", "a:1-b", ""] {
        assert!(listen(text.as_bytes()).is_err(), "{text}");
    }
}
