use std::collections::BTreeMap;

use super::*;
use crate::{
    record::KernelTime,
    sink::{NginxFound, example, losses::Stage},
    verdict::WouldRaise,
};

fn shown(look: Look, show: impl FnOnce(&mut Table<&mut Vec<u8>>)) -> String {
    let mut out = Vec::new();
    show(&mut Table::new(&mut out, example::CLOCK, TimeZone::UTC, look));
    String::from_utf8(out).unwrap()
}

fn terminal(width: usize) -> Look {
    Look { width: Some(width), colour: false }
}

fn ready(workers: usize) -> Ready {
    Ready {
        at: KernelTime(0),
        version: "0.1.0".into(),
        programs: Vec::new(),
        features: BTreeMap::new(),
        ports: vec![3000],
        nginx: NginxFound { masters: workers.min(1), workers, listening: 0 },
        node: "node-7".into(),
    }
}

#[test]
fn a_wide_terminal_has_the_numbers_beside_the_cause() {
    let text = shown(terminal(120), |table| table.verdict(&example::verdict()).unwrap());
    let expected = "\
TIME          CAUSE                SURE    REQUEST   SERVER                     PID      IDLE     AFTER
13:45:03.432  keepalive_race       high    retried   10.99.2.1:3000            3632    3.53 s    120 us
    why: the backend's FIN arrived; the backend's kernel acknowledged nothing of the request; the connection had been
         idle for the backend's learned idle timeout
    do: set keepalive_timeout 800ms in upstream backend
    more: reset-observer explain keepalive_race
";
    assert_eq!(text, expected);
}

#[test]
fn on_eighty_columns_nothing_is_wider_and_no_number_is_missing() {
    let text = shown(terminal(80), |table| table.verdict(&example::verdict()).unwrap());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let numbers = "    when: 120 us after the request, the connection had been idle for 3.53 s\n          before it, nginx 3632\n";
    assert!(text.contains(numbers), "{text}");
}

#[test]
fn a_long_ipv6_server_has_a_line_of_its_own_where_the_row_is_full() {
    let server = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:30000".to_owned();
    let verdict = Verdict {
        upstream: Some(std::sync::Arc::new(crate::verdict::UpstreamLabel { name: None, server })),
        ..example::verdict()
    };
    let narrow = shown(terminal(80), |table| table.verdict(&verdict).unwrap());
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    assert!(narrow.contains("    server: [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:30000\n"), "{narrow}");
    let wide = shown(terminal(140), |table| table.verdict(&verdict).unwrap());
    assert!(!wide.contains("server: "), "{wide}");
}

#[test]
fn a_pipe_gets_one_line_each_and_no_control_codes() {
    let text = shown(Look::PLAIN, |table| table.verdict(&example::verdict()).unwrap());
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn colours_are_used_where_wanted_and_put_back() {
    let look = Look { width: Some(140), colour: true };
    let text = shown(look, |table| table.verdict(&example::verdict()).unwrap());
    assert!(text.contains("\x1b[33m"), "{text:?}");
    assert_eq!(text.matches("\x1b[0m").count(), 5, "{text:?}");
}

#[test]
fn where_to_read_more_is_said_once_for_each_cause_and_not_to_a_pipe() {
    let crash = Verdict { cause: Cause::BackendCrash, ..example::verdict() };
    let text = shown(terminal(120), |table| {
        for verdict in [&example::verdict(), &crash, &example::verdict(), &crash] {
            table.verdict(verdict).unwrap();
        }
    });
    assert_eq!(text.matches("more: reset-observer explain ").count(), 2, "{text}");
    let piped = shown(Look::PLAIN, |table| table.verdict(&crash).unwrap());
    assert!(!piped.contains("more: "), "{piped}");
}

#[test]
fn what_would_have_made_it_surer_is_said() {
    let unsure = Verdict {
        would_raise: smallvec::smallvec![WouldRaise::ErrorLog, WouldRaise::ClientSide],
        ..example::verdict()
    };
    let text = shown(Look::PLAIN, |table| table.verdict(&unsure).unwrap());
    assert!(text.contains("    surer with: nginx's error log; the clients' connections in view\n"), "{text}");
}

#[test]
fn the_header_comes_once() {
    let text = shown(Look::PLAIN, |table| {
        table.ready(&ready(2)).unwrap();
        table.verdict(&example::verdict()).unwrap();
        table.verdict(&example::bare_verdict()).unwrap();
    });
    assert_eq!(text.matches("CAUSE").count(), 1, "{text}");
    assert!(text.starts_with("Watching port 3000; nginx runs with 2 workers. Ctrl-C ends with a summary.\n"), "{text}");
}

#[test]
fn a_verdict_with_little_known_still_reads() {
    let text = shown(terminal(140), |table| table.verdict(&example::bare_verdict()).unwrap());
    let rest = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(
        rest,
        "13:45:03.432  idle_close           low     harmless  10.99.2.1:3000               -         -         -\n    \
         why: not a connection of nginx"
    );
}

#[test]
fn no_nginx_and_losses_are_said() {
    let text = shown(Look::PLAIN, |table| {
        table.ready(&Ready { ports: Vec::new(), ..ready(0) }).unwrap();
        table.lost(&Lost { at: KernelTime(0), stage: Stage::Ring, records: 3, total: 3 }).unwrap();
    });
    assert!(text.contains("Watching all ports; no nginx is running yet."), "{text}");
    assert!(text.contains("Not all is seen: 3 records found the ring buffer full."), "{text}");
}

#[test]
fn a_mark_is_said_at_its_time() {
    let marked = |by| shown(Look::PLAIN, |table| table.mark(&Mark { at: KernelTime(0), number: 1, by }).unwrap());
    let text = marked(MarkedBy::Signal);
    assert!(text.contains("13:45:00.000 Marked:") && text.contains("compared with what came before"), "{text}");
    let text = marked(MarkedBy::Reload);
    assert!(text.contains("13:45:00.000 nginx was reloaded:") && text.contains("SIGUSR1"), "{text}");
}
