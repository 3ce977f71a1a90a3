mod corpus;

use std::time::Duration;

use super::{
    endpoint::Endpoint,
    error_log::LogTarget,
    pass::{Protocol, Target},
    table::Table,
    *,
};

pub(super) const MAIN: &str = "/etc/nginx/nginx.conf";

/// The configuration of this text, which must be in order.
pub(super) fn configuration(text: &str) -> Configuration {
    let configuration = Configuration::read(&Table::new([(MAIN, text)]), &Origin::file(MAIN));
    assert!(configuration.problems.is_empty(), "{:?}", configuration.problems);
    configuration
}

const TYPICAL: &str = r#"
worker_processes auto;
pid run/nginx.pid;
error_log /var/log/nginx/error.log warn;
events { worker_connections 512; }
http {
    proxy_read_timeout 30s;
    proxy_set_header Connection "";
    upstream backend {
        server 10.0.0.1:3000 max_fails=0;
        server app:3000 backup resolve fail_timeout=1m;
        keepalive 16;
        keepalive_timeout 5s;
    }
    server {
        listen 80 default_server;
        listen [::]:443 ssl;
        server_name example.org "~^www\d\.";
        error_log syslog:server=10.0.0.9,tag=web;
        proxy_http_version 1.1;
        location / {
            proxy_pass http://BACKEND/path;
            proxy_read_timeout 500ms;
        }
        location /upload {
            proxy_set_header Host $host;
            proxy_pass https://10.0.0.2;
            location /upload/php { fastcgi_pass unix:/run/php.sock; fastcgi_keep_conn on; error_log stderr; }
            if ($a) { proxy_pass http://$a; }
        }
    }
}
stream {
    upstream backend { server 10.0.0.3:53; }
    server { listen 53 udp; proxy_pass backend; proxy_timeout 1m; }
}
"#;

#[test]
fn upstream_blocks_have_servers_and_pools_with_their_lines() {
    let configuration = configuration(TYPICAL);
    let [http, stream] = configuration.upstreams.as_slice() else { panic!("{:?}", configuration.upstreams) };
    assert_eq!((http.name.as_str(), http.layer, http.place.line), ("backend", Layer::Http, 9));
    assert_eq!((stream.name.as_str(), stream.layer, stream.servers.len()), ("backend", Layer::Stream, 1));
    let [first, second] = http.servers.as_slice() else { panic!("{:?}", http.servers) };
    assert_eq!(
        (first.text.as_str(), first.max_fails, first.fail_timeout),
        ("10.0.0.1:3000", 0, Duration::from_secs(10))
    );
    assert!(second.backup && second.resolves && !second.down);
    assert_eq!(second.fail_timeout, Duration::from_secs(60));
    let timeout = http.keepalive.timeout.as_ref().unwrap();
    assert_eq!(
        (timeout.value, timeout.place.to_string().as_str()),
        (Duration::from_secs(5), "/etc/nginx/nginx.conf:13")
    );
    assert_eq!(http.keepalive.connections.as_ref().unwrap().value, 16);
    assert!(http.keepalive.requests.is_none());
}

#[test]
fn requests_are_passed_to_blocks_servers_or_variables() {
    let configuration = configuration(TYPICAL);
    let found: Vec<_> = configuration.passes.iter().map(|pass| (pass.protocol, pass.target.clone())).collect();
    let expected = [
        (Protocol::Http, Target::Upstream("BACKEND".into())),
        (Protocol::Https, Target::Server(Endpoint::Address("10.0.0.2:443".parse().unwrap()))),
        (Protocol::FastCgi, Target::Server(Endpoint::Unix("/run/php.sock".into()))),
        (Protocol::Http, Target::Dynamic),
        (Protocol::Stream, Target::Upstream("backend".into())),
    ];
    assert_eq!(found, expected);
}

#[test]
fn variables_in_the_path_choose_no_server() {
    let target = |url: &str| {
        let text = format!("http {{ upstream a {{ server b; }} server {{ location / {{ proxy_pass {url}; }} }} }}");
        configuration(&text).passes[0].target.clone()
    };
    for url in ["http://a$request_uri", "http://a/$1", "http://a${uri}", "http://a?x=$y"] {
        assert_eq!(target(url), Target::Upstream("a".into()), "{url}");
    }
    let address = Target::Server(Endpoint::Address("10.0.0.1:81".parse().unwrap()));
    assert_eq!(target("https://10.0.0.1:81/$uri"), address);
    for url in ["http://$host", "http://a$x/", "$scheme://a", "http://a:$port/", "http://unix:/$x"] {
        assert_eq!(target(url), Target::Dynamic, "{url}");
    }
}

#[test]
fn settings_pass_inwards_and_the_innermost_counts() {
    let configuration = configuration(TYPICAL);
    let read_timeouts: Vec<_> = configuration
        .passes
        .iter()
        .map(|pass| pass.settings.read_timeout.as_ref().map(|set| (set.value.as_millis(), set.place.line)))
        .collect();
    let expected = [Some((500, 23)), Some((30_000, 7)), None, Some((30_000, 7)), Some((60_000, 35))];
    assert_eq!(read_timeouts, expected);
    assert_eq!(configuration.passes[0].settings.http_version.as_ref().unwrap().value, "1.1");
    assert!(configuration.passes[2].settings.keep_conn.as_ref().unwrap().value);
}

#[test]
fn a_block_with_any_header_of_its_own_inherits_none() {
    let configuration = configuration(TYPICAL);
    let header = |at: usize| configuration.passes[at].settings.connection_header.as_ref().map(|set| set.value.clone());
    assert_eq!((header(0), header(1), header(3)), (Some(String::new()), None, None));
}

#[test]
fn servers_listen_under_their_names() {
    let configuration = configuration(TYPICAL);
    let [http, stream] = configuration.servers.as_slice() else { panic!("{:?}", configuration.servers) };
    let listens: Vec<_> = http.listens.iter().map(|listen| listen.endpoint.to_string()).collect();
    assert_eq!(listens, ["0.0.0.0:80", "[::]:443"]);
    assert_eq!(http.names, ["example.org", r"~^www\d\."]);
    assert_eq!((stream.layer, stream.listens[0].parameters.as_slice()), (Layer::Stream, &["udp".to_owned()][..]));
}

#[test]
fn error_logs_of_all_levels_are_known_by_their_kind() {
    let configuration = configuration(TYPICAL);
    let logs: Vec<_> = configuration
        .error_logs
        .iter()
        .map(|log| (log.block.as_str(), log.target.clone(), log.level.as_str()))
        .collect();
    let expected = [
        ("main", LogTarget::File("/var/log/nginx/error.log".into()), "warn"),
        ("server", LogTarget::Syslog("server=10.0.0.9,tag=web".into()), "error"),
        ("location", LogTarget::Stderr, "error"),
    ];
    assert_eq!(logs, expected);
}

#[test]
fn the_main_block_is_read() {
    let configuration = configuration(TYPICAL);
    assert_eq!(configuration.worker_processes.as_deref(), Some("auto"));
    assert_eq!(configuration.pid.as_deref(), Some(Path::new("/etc/nginx/run/nginx.pid")));
    assert_eq!((configuration.daemon, configuration.master_process), (None, None));
}

#[test]
fn what_nginx_would_refuse_is_told_and_the_rest_is_kept() {
    let text = "http {\n upstream a { server b:0;\n keepalive_timeout soon;\n server c; }\n upstream d {}\n \
                server { listen x:y; location / { proxy_pass ftp://x; } location /a { proxy_pass http://a:1:2; } } }";
    let configuration = Configuration::read(&Table::new([(MAIN, text)]), &Origin::file(MAIN));
    let told: Vec<_> = configuration.problems.iter().map(ToString::to_string).collect();
    let expected = [
        r#"invalid port in upstream "b:0" in /etc/nginx/nginx.conf:2"#,
        r#""keepalive_timeout" directive invalid value in /etc/nginx/nginx.conf:3"#,
        "no servers are inside upstream in /etc/nginx/nginx.conf:5",
        r#"invalid port in "x:y" of the "listen" directive in /etc/nginx/nginx.conf:6"#,
        "invalid URL prefix in /etc/nginx/nginx.conf:6",
        r#"invalid port in upstream "a:1:2" in /etc/nginx/nginx.conf:6"#,
    ];
    assert_eq!(told, expected);
    assert_eq!(configuration.upstreams[0].servers.len(), 1);
}

#[test]
fn a_hundred_thousand_locations_are_read_in_the_time_of_their_length() {
    let location = "location /a { proxy_pass http://b; proxy_read_timeout 1s; }\n";
    let server = format!("server {{ listen 80; {} }}\n", location.repeat(100));
    let configuration = configuration(&format!("http {{ upstream b {{ server c; }} {} }}", server.repeat(1000)));
    assert_eq!(configuration.passes.len(), 100_000);
}
