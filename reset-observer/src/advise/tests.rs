use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    correlate::Correlator,
    nginx::{config::defaults::Pool, error_log::impact::NextUpstream, upstream_settings::UpstreamSettings},
    record::TcpState,
    sample::{at, configured, fin, from_port, idle, keeping, keeping_nothing, proxy, requested, reset},
    verdict::{Confidence, Impact},
};

const ONE_SECOND: Duration = Duration::from_secs(1);

/// A request after `gap` of idleness that met a reset, to a server that is known to close after a second.
fn case(gap: Duration, settings: Option<UpstreamSettings>) -> Case {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for (port, ms) in [(1, 100_u64), (2, 600), (3, 1100)] {
        correlator.handle(from_port(port, fin(ms, idle(ONE_SECOND))));
        correlator.poll(at(ms + 1600));
    }
    correlator.handle(reset(9000, TcpState::Established, requested(at(8990), gap)));
    let mut case = correlator.flush().into_iter().find(|case| case.connection.ends().local == proxy()).unwrap();
    Arc::make_mut(&mut case.connection).name_upstream(None, settings.map(Arc::new));
    case
}

fn said(cause: Cause, gap: Duration, settings: Option<UpstreamSettings>) -> String {
    let decision =
        Decision { cause, confidence: Confidence::High, impact: Impact::Unknown, evidence: smallvec::SmallVec::new() };
    advise(&case(gap, settings), &decision).unwrap()
}

fn race(settings: UpstreamSettings) -> String {
    said(Cause::KeepaliveRace, ONE_SECOND, Some(settings))
}

fn middlebox(gap: Duration, settings: UpstreamSettings) -> String {
    said(Cause::MiddleboxIdleDrop, gap, Some(settings))
}

#[test]
fn a_race_is_ended_where_the_timeout_is_set() {
    assert_eq!(
        race(keeping(Duration::from_secs(75))),
        "the backend closes idle connections after about 1s, and nginx keeps them for 75s: set keepalive_timeout 800ms in \
         upstream backend, in place of keepalive_timeout 75s at /etc/nginx/nginx.conf:15, or raise the backend's idle \
         timeout well above 75s; do not raise keepalive_timeout, switch keepalive off for good, or add non_idempotent to \
         proxy_next_upstream: a POST that was carried out, and whose answer was lost, would be sent again"
    );
}

#[test]
fn where_nothing_is_set_the_block_is_named_and_the_default_that_counts() {
    let advice = race(configured());
    let set = "set keepalive_timeout 800ms in upstream backend (/etc/nginx/nginx.conf:12), where nginx's default of 60s counts, ";
    assert!(advice.contains(set), "{advice}");
    assert!(!advice.contains("unless"), "{advice}");
}

#[test]
fn an_old_nginx_without_the_directive_is_to_be_updated() {
    let pool = configured().pool.map(|pool| Pool { timeout: None, ..pool });
    let advice = race(UpstreamSettings { pool, ..configured() });
    let change = "nginx keeps them for ever, for it knows no keepalive_timeout before 1.15.3: update it, and set \
                  keepalive_timeout 800ms in upstream backend (/etc/nginx/nginx.conf:12); do not";
    assert!(advice.contains(change), "{advice}");
}

#[test]
fn a_timeout_that_is_short_enough_already_is_not_to_be_changed() {
    let advice = race(keeping(Duration::from_millis(800)));
    assert!(
        advice.contains("nginx keeps them for 800ms only (keepalive_timeout at /etc/nginx/nginx.conf:15)"),
        "{advice}"
    );
    assert!(!advice.contains("set keepalive_timeout"), "{advice}");
}

#[test]
fn without_a_pool_nothing_is_said_of_its_timeout() {
    let direct = UpstreamSettings { block: None, pool: None, ..configured() };
    for settings in [keeping_nothing(), direct] {
        for cause in [Cause::KeepaliveRace, Cause::MiddleboxIdleDrop] {
            let advice = said(cause, Duration::from_secs(60), Some(settings.clone()));
            assert!(!advice.contains("keepalive_timeout"), "{advice}");
        }
    }
}

#[test]
fn the_danger_of_retries_is_told_as_they_are_configured() {
    let retrying = |next_upstream| race(UpstreamSettings { next_upstream: Some(next_upstream), ..configured() });
    let advice = retrying(NextUpstream { non_idempotent: true, ..NextUpstream::default() });
    assert!(advice.ends_with(
        "mind that proxy_next_upstream has non_idempotent: a POST that was carried out, and whose answer was lost, is sent again"
    ));
    let advice = retrying(NextUpstream { error: false, ..NextUpstream::default() });
    assert!(advice.ends_with("proxy_next_upstream lacks error, so that nginx does not even try a GET again"));
}

#[test]
fn without_a_configuration_nothing_is_claimed_of_it() {
    assert_eq!(
        said(Cause::KeepaliveRace, ONE_SECOND, None),
        "the backend closes idle connections after about 1s, and nginx keeps them for 60s unless told otherwise: set \
         keepalive_timeout 800ms in the upstream block, or raise the backend's idle timeout above nginx's"
    );
    assert_eq!(
        said(Cause::MiddleboxIdleDrop, Duration::from_secs(350), None),
        "a firewall, NAT or load balancer between nginx and the backend forgot the connection within 350s of idleness: \
         raise its idle timeout, or set keepalive_timeout 280s or less in the upstream block"
    );
}

#[test]
fn a_middlebox_is_outrun_by_the_timeout_or_by_probes() {
    let keeps_long = keeping(Duration::from_secs(600));
    assert_eq!(
        middlebox(Duration::from_secs(350), keeps_long.clone()),
        "a firewall, NAT or load balancer between nginx and the backend forgot the connection within 350s of idleness: \
         raise its idle timeout, set keepalive_timeout 280s or less in upstream backend (/etc/nginx/nginx.conf:12) in \
         place of 600s at /etc/nginx/nginx.conf:15, or set proxy_socket_keepalive on together with sysctl \
         net.ipv4.tcp_keepalive_time=280 in nginx's network namespace (7200 unless set, which is too late); do not raise \
         keepalive_timeout"
    );
    let advice = middlebox(Duration::from_secs(350), UpstreamSettings { socket_keepalive: Some(true), ..keeps_long });
    assert!(advice.contains("or lower sysctl net.ipv4.tcp_keepalive_time=280 in"), "{advice}");
}

#[test]
fn probes_are_not_advised_where_they_come_too_late() {
    let advice = middlebox(ONE_SECOND, configured());
    assert!(!advice.contains("proxy_socket_keepalive"), "{advice}");
    assert!(advice.contains("set keepalive_timeout 800ms or less in upstream backend"), "{advice}");
}

#[test]
fn a_limit_is_respected_in_the_block_that_there_is() {
    let limit = |settings| said(Cause::ConnectionLimit, ONE_SECOND, settings);
    let own = "the server turns new connections away: raise its listen backlog (and net.core.somaxconn) or its limit of \
               connections, or";
    assert_eq!(
        limit(Some(configured())),
        format!("{own} set max_conns on the server in upstream backend (/etc/nginx/nginx.conf:12)")
    );
    assert!(limit(Some(keeping_nothing())).contains("(/etc/nginx/nginx.conf:12), and keepalive 32 there"));
    let direct = UpstreamSettings { block: None, pool: None, ..configured() };
    assert_eq!(limit(Some(direct)), format!("{own} put it in an upstream block, and set max_conns on it there"));
    assert_eq!(limit(None), format!("{own} set max_conns on the server in the upstream block"));
}

#[test]
fn a_server_is_taken_out_of_the_block_that_it_is_in() {
    let advice = said(Cause::ConnectionRefused, ONE_SECOND, Some(configured()));
    assert!(advice.ends_with("take the server out of upstream backend (/etc/nginx/nginx.conf:12)"), "{advice}");
}
