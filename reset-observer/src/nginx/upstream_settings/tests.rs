use super::*;

const LOCATION: &str = "server { location / { proxy_pass http://a; } }";

fn settings(text: &str) -> UpstreamSettings {
    settings_of(text, "10.0.0.1:80")
}

fn settings_of(text: &str, server: &str) -> UpstreamSettings {
    let running = Running::told(text);
    let found = running.index.label(server.parse().unwrap()).expect("it is a server of the configuration");
    UpstreamSettings::of(&running, &found)
}

fn http(text: &str) -> UpstreamSettings {
    settings(&format!("http {{ {text} }}"))
}

#[test]
fn an_upstream_block_says_how_idle_connections_are_kept_and_where() {
    let settings = http("upstream a {\nserver 10.0.0.1;\nkeepalive 7;\nkeepalive_timeout 5s;\n}");
    let (name, place) = settings.block.expect("a block");
    assert_eq!((name.as_str(), place.line), ("a", 1));
    let pool = settings.pool.expect("a pool");
    assert_eq!((pool.connections, pool.timeout), (7, Some(Duration::from_secs(5))));
    assert_eq!(settings.keepalive_timeout_at.map(|place| place.line), Some(4));
}

#[test]
fn of_two_blocks_with_the_server_the_first_that_keeps_connections_counts() {
    let none = "upstream none { server 10.0.0.1; }";
    let some = "upstream some { server 10.0.0.1; keepalive 7; }";
    let more = "upstream more { server 10.0.0.1; keepalive 9; }";
    let block = |text: String| http(&text).block.map(|(name, _)| name);
    assert_eq!(block(format!("{none} {some} {more}")).as_deref(), Some("some"));
    assert_eq!(block(format!("{more} {none} {some}")).as_deref(), Some("more"));
    assert_eq!(block(none.into()).as_deref(), Some("none"), "the first, if none keeps any");
}

#[test]
fn a_server_without_a_block_has_no_pool() {
    let settings = http("server { location / { proxy_pass http://10.0.0.1; proxy_read_timeout 7s; } }");
    assert_eq!((settings.block, settings.pool, settings.keepalive_timeout_at), (None, None, None));
    assert_eq!(settings.read_timeouts, [Duration::from_secs(7)]);
}

#[test]
fn without_a_word_of_it_a_request_is_tried_again_after_errors_and_timeouts() {
    let settings = http(&format!("upstream a {{ server 10.0.0.1; server 10.0.0.2; keepalive 2; }} {LOCATION}"));
    assert_eq!(settings.next_upstream, Some(NextUpstream { servers: Some(2), ..NextUpstream::default() }));
    assert_eq!((settings.read_timeouts, settings.socket_keepalive), (vec![READ_TIMEOUT], Some(false)));
}

#[test]
fn what_proxy_next_upstream_says_counts() {
    let next = |words: &str| {
        let upstream = "upstream a { server 10.0.0.1; server 10.0.0.2 backup; server 10.0.0.3 down; }";
        http(&format!("{upstream} proxy_next_upstream {words}; proxy_next_upstream_tries 3; {LOCATION}"))
            .next_upstream
            .expect("one location agrees with itself")
    };
    let nothing = NextUpstream {
        error: false,
        timeout: false,
        tries: 3,
        servers: Some(2),
        keeps_connections: false,
        ..NextUpstream::default()
    };
    assert_eq!(next("off"), nothing);
    assert_eq!(next("error invalid_header"), NextUpstream { error: true, invalid_header: true, ..nothing });
    assert_eq!(next("timeout non_idempotent"), NextUpstream { timeout: true, non_idempotent: true, ..nothing });
}

#[test]
fn where_locations_differ_nothing_is_claimed() {
    let settings = http(
        "upstream a { server 10.0.0.1; } server {
           location / { proxy_pass http://a; proxy_socket_keepalive on; proxy_read_timeout 9s; }
           location /b { proxy_pass http://a; proxy_next_upstream off; proxy_read_timeout 3s; }
           location /c { proxy_pass http://a; proxy_read_timeout 9s; } }",
    );
    assert_eq!((settings.next_upstream, settings.socket_keepalive), (None, None));
    assert_eq!(settings.read_timeouts, [3, 9].map(Duration::from_secs));
}

#[test]
fn locations_that_lead_elsewhere_do_not_count() {
    let settings = http(
        "upstream a { server 10.0.0.1; } upstream b { server 10.0.0.2; } server {
           location / { proxy_pass http://a; } location /b { proxy_pass http://b; proxy_next_upstream off; } }",
    );
    assert_eq!(settings.next_upstream.map(|next| next.error), Some(true));
}

#[test]
fn a_block_that_no_location_names_leaves_open_what_counts() {
    let settings = http("upstream a { server 10.0.0.1; } server { location / { proxy_pass http://$host; } }");
    assert_eq!((settings.next_upstream, settings.socket_keepalive), (None, None));
    assert!(settings.read_timeouts.is_empty());
}

#[test]
fn a_name_may_be_used_in_http_and_in_stream() {
    let text = "http { upstream a { server 10.0.0.1; } server { location / { proxy_pass http://a; } } }
                stream { upstream a { server 10.0.0.2:80; } server { listen 1; proxy_pass a; proxy_timeout 7s; } }";
    assert_eq!(settings(text).read_timeouts, [READ_TIMEOUT]);
    assert_eq!(settings_of(text, "10.0.0.2:80").read_timeouts, [Duration::from_secs(7)]);
}

#[test]
fn each_block_has_as_many_tries_as_servers_of_its_own() {
    let settings = http(
        "upstream a { server 10.0.0.1; } upstream b { server 10.0.0.1; server 10.0.0.2; } server {
           location / { proxy_pass http://a; } location /b { proxy_pass http://b; } }",
    );
    assert_eq!(settings.next_upstream, None, "in one of them a try is left");
    let settings = http(
        "upstream a { server 10.0.0.1; } upstream b { server 10.0.0.1; server 10.0.0.2; }
         server { location / { proxy_pass http://b; } }",
    );
    assert_eq!(settings.next_upstream.and_then(|next| next.servers), Some(2));
}

#[test]
fn one_address_is_one_server_and_one_name_may_be_several() {
    let servers = |text: &str, server| {
        settings_of(&format!("http {{ {text} {LOCATION} }}"), server).next_upstream.and_then(|next| next.servers)
    };
    assert_eq!(servers("upstream a { server 10.0.0.1; }", "10.0.0.1:80"), Some(1));
    assert_eq!(servers("upstream a { server app; }", "10.0.0.1:80"), None);
    assert_eq!(servers("upstream a { server 10.0.0.1; server app:81; }", "10.0.0.1:80"), Some(2), "or more");
    let alone = http("server { location / { proxy_pass http://10.0.0.1; } }");
    assert_eq!(alone.next_upstream.and_then(|next| next.servers), Some(1));
}

#[test]
fn a_body_that_is_passed_on_at_once_cannot_be_sent_again() {
    let settings = http(&format!("proxy_request_buffering off; upstream a {{ server 10.0.0.1; }} {LOCATION}"));
    assert_eq!(settings.next_upstream.map(|next| next.request_buffering), Some(false));
}

#[test]
fn a_stream_without_proxy_timeout_waits_for_ten_minutes() {
    let text = "stream { upstream a { server 10.0.0.1:80; } server { listen 1; proxy_pass a; } }";
    assert_eq!(settings(text).read_timeouts, [Duration::from_mins(10)]);
}

#[test]
fn all_locations_that_name_the_same_server_count() {
    let settings = http(
        "server { location / { proxy_pass http://10.0.0.1; }
           location /b { proxy_pass http://10.0.0.1/b; proxy_next_upstream off; proxy_read_timeout 3s; } }",
    );
    assert_eq!(settings.next_upstream, None, "they differ");
    assert_eq!(settings.read_timeouts, [3, 60].map(Duration::from_secs));
}

#[test]
fn the_name_of_a_block_is_known_in_any_case() {
    let settings = http("upstream a { server 10.0.0.1; } server { location / { proxy_pass http://A; } }");
    assert!(settings.next_upstream.is_some());
}

#[test]
fn whether_tls_is_spoken_is_known_unless_locations_differ() {
    let tls = |passes: &str| http(&format!("upstream a {{ server 10.0.0.1; }} server {{ {passes} }}")).tls;
    assert_eq!(tls("location / { proxy_pass http://a; }"), Some(false));
    assert_eq!(tls("location / { proxy_pass HTTPS://a/path; }"), Some(true));
    assert_eq!(tls("location / { grpc_pass grpcs://a; }"), Some(true));
    assert_eq!(tls("location / { grpc_pass a; }"), Some(false));
    assert_eq!(tls("location / { uwsgi_pass suwsgi://a; }"), Some(true));
    assert_eq!(tls("location /1 { proxy_pass https://a; } location /2 { proxy_pass http://a; }"), None);
    assert_eq!(tls(""), None, "nobody says how requests get there");
    let stream = |ssl: &str| {
        let text =
            format!("stream {{ {ssl} upstream a {{ server 10.0.0.1:80; }} server {{ listen 1; proxy_pass a; }} }}");
        settings(&text).tls
    };
    assert_eq!((stream(""), stream("proxy_ssl on;")), (Some(false), Some(true)));
}
