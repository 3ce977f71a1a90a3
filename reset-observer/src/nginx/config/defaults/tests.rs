use super::{super::tests::configuration, *};

fn pool_of(directives: &str, version: Option<&str>) -> Pool {
    let configuration = configuration(&format!("http {{ upstream a {{ server b; {directives} }} }}"));
    pool(&configuration.upstreams[0], version.map(|version| Version::parse(version).unwrap()).as_ref())
}

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

#[test]
fn defaults_follow_the_version() {
    for (version, connections, timeout, requests, time) in [
        ("nginx/1.15.2", 0, None, None, None),
        ("nginx/1.15.3", 0, MINUTE, Some(100), None),
        ("nginx/1.19.9", 0, MINUTE, Some(100), None),
        ("nginx/1.19.10", 0, MINUTE, Some(1000), HOUR),
        ("openresty/1.21.4.1", 0, MINUTE, Some(1000), HOUR),
        ("nginx/1.29.6", 0, MINUTE, Some(1000), HOUR),
        ("nginx/1.29.7", 32, MINUTE, Some(1000), HOUR),
        ("nginx/1.31.4", 32, MINUTE, Some(1000), HOUR),
    ] {
        assert_eq!(pool_of("", Some(version)), Pool { connections, timeout, requests, time }, "{version}");
    }
    assert_eq!(pool_of("", None), pool_of("", Some("nginx/1.22.1")));
}

#[test]
fn what_is_set_counts_and_0_switches_the_pool_off() {
    let pool = pool_of("keepalive 8 local; keepalive_timeout 5s; keepalive_requests 7;", Some("nginx/1.29.7"));
    assert_eq!((pool.connections, pool.timeout, pool.requests), (8, Some(Duration::from_secs(5)), Some(7)));
    assert_eq!(pool_of("keepalive 0;", Some("nginx/1.29.7")).connections, 0);
}

#[test]
fn angie_keeps_none_unless_told_to() {
    let version = Version { core: Some((1, 31, 2)), ..Version::parse("Angie/1.13.0").unwrap() };
    let configuration = configuration("http { upstream a { server b; } } stream { upstream a { server b:1; } }");
    assert_eq!(pool(&configuration.upstreams[0], Some(&version)).connections, 0);
    let version = Version::parse("nginx/1.29.7");
    assert_eq!(pool(&configuration.upstreams[1], version.as_ref()).connections, 0, "stream keeps none either");
}

#[test]
fn http_1_1_is_the_default_of_late_versions() {
    let version = |text| Version::parse(text);
    assert_eq!(http_version(Protocol::Http, version("nginx/1.29.6").as_ref()), Some("1.0"));
    assert_eq!(http_version(Protocol::Https, version("nginx/1.29.7").as_ref()), Some("1.1"));
    assert_eq!(http_version(Protocol::FastCgi, None), None);
}
