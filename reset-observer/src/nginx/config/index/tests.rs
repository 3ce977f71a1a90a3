use super::{super::tests::configuration, *};

fn index(text: &str) -> UpstreamIndex {
    let known = |name: &str| if name == "known" { vec!["10.0.0.7".parse().unwrap()] } else { Vec::new() };
    UpstreamIndex::new(&configuration(&format!("http {{ {text} }}")), &known)
}

fn label(index: &UpstreamIndex, remote: &str) -> Option<(Option<String>, Option<String>, Ground)> {
    let found = index.label(remote.parse().unwrap())?;
    Some((found.name(), found.server().map(str::to_owned), found.ground))
}

fn named(name: &str, server: &str, ground: Ground) -> Option<(Option<String>, Option<String>, Ground)> {
    Some((Some(name.into()), Some(server.into()), ground))
}

#[test]
fn a_written_address_is_found_whatever_its_clothes() {
    let index = index("upstream a { server 10.0.0.1; server [fd00::1]:81; server 10.0.0.2:81 down; }");
    assert_eq!(label(&index, "10.0.0.1:80"), named("a", "10.0.0.1", Ground::Written));
    assert_eq!(label(&index, "[::ffff:10.0.0.1]:80"), named("a", "10.0.0.1", Ground::Written));
    assert_eq!(label(&index, "[fd00::1]:81"), named("a", "[fd00::1]:81", Ground::Written));
    assert_eq!(label(&index, "10.0.0.1:81"), None);
    assert_eq!(label(&index, "10.0.0.2:81"), None, "nginx never connects to a server that is down");
}

#[test]
fn a_server_in_two_upstreams_is_in_both() {
    let index = index(
        "upstream a { server 10.0.0.1:80; server 10.0.0.1; keepalive 3; } upstream b { server 10.0.0.1; keepalive 4; }",
    );
    let found = index.label("10.0.0.1:80".parse().unwrap()).unwrap();
    assert_eq!(found.name().as_deref(), Some("a, b"));
    assert_eq!(found.server(), None, "they write it differently");
    let kept: Vec<_> =
        found.members.iter().map(|member| member.keepalive.connections.as_ref().unwrap().value).collect();
    assert_eq!(kept, [3, 4]);
}

#[test]
fn a_server_without_a_block_has_no_name() {
    let index =
        index("server { location / { proxy_pass https://10.0.0.1; } location /a { proxy_pass https://10.0.0.1/a; } }");
    assert_eq!(label(&index, "10.0.0.1:443"), Some((None, Some("10.0.0.1:443".into()), Ground::Written)));
}

#[test]
fn a_name_in_the_hosts_file_is_found_by_its_address() {
    let index = index("upstream a { server known:81; } upstream b { server other:81; }");
    assert_eq!(label(&index, "10.0.0.7:81"), named("a", "known:81", Ground::Hosts));
    assert_eq!(label(&index, "10.0.0.8:81"), named("b", "other:81", Ground::OnlyOne));
}

#[test]
fn a_name_is_meant_if_no_other_one_has_its_port() {
    let index = index("upstream a { server one:81; server two:82; server three:82; } upstream b { server One:81; }");
    let found = index.label("192.0.2.1:81".parse().unwrap()).unwrap();
    assert_eq!((found.name().as_deref(), found.ground), (Some("a, b"), Ground::OnlyOne));
    assert_eq!(label(&index, "192.0.2.1:82"), None, "two could be meant");
    assert_eq!(label(&index, "192.0.2.1:83"), None);
}

#[test]
fn where_variables_or_lua_choose_servers_no_name_is_guessed() {
    for dynamic in [
        "server { location / { proxy_pass http://$host; } }",
        "upstream lua { server 0.0.0.1; balancer_by_lua_block { } }",
        "upstream service { zone z 64k; server x resolve service=http; }",
    ] {
        let index = index(&format!("upstream a {{ server one:81; server 10.0.0.1:81; }} {dynamic}"));
        assert_eq!(label(&index, "192.0.2.1:81"), None, "{dynamic}");
        assert_eq!(label(&index, "10.0.0.1:81"), named("a", "10.0.0.1:81", Ground::Written));
    }
}
