//! Which server program the backend is, and the setting of its idle timeout. Defaults are of the documentation that
//! `docs/causes/keepalive_race.md` links to.

use std::time::Duration;

use super::span;

/// A server program whose setting is known.
struct Family {
    name: &'static str,
    /// Names of its processes, as far as they tell it from others.
    processes: &'static [&'static str],
    /// Its default timeouts, in seconds as they are seen from outside.
    defaults: &'static [u64],
    /// The setting, and its unit.
    setting: &'static str,
    unit: Unit,
    /// What else must be set with it.
    also: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Milliseconds,
}

const FAMILIES: [Family; 9] = [
    Family {
        name: "Node",
        processes: &["node", "nodejs", "MainThread"],
        defaults: &[5, 6],
        setting: "server.keepAliveTimeout = ",
        unit: Unit::Milliseconds,
        also: ", with server.headersTimeout above it",
    },
    Family {
        name: "gunicorn",
        processes: &["gunicorn"],
        defaults: &[2],
        setting: "--keep-alive ",
        unit: Unit::Seconds,
        also: " and not worker class sync, which keeps no connection",
    },
    Family {
        name: "uvicorn",
        processes: &["uvicorn"],
        defaults: &[5],
        setting: "--timeout-keep-alive ",
        unit: Unit::Seconds,
        also: "",
    },
    Family {
        name: "Puma",
        processes: &["puma"],
        defaults: &[20, 65],
        setting: "persistent_timeout ",
        unit: Unit::Seconds,
        also: "",
    },
    Family {
        name: "Apache httpd",
        processes: &["apache2", "httpd"],
        defaults: &[5],
        setting: "KeepAliveTimeout ",
        unit: Unit::Seconds,
        also: "",
    },
    Family {
        name: "Tomcat",
        processes: &[],
        defaults: &[20, 60],
        setting: "keepAliveTimeout=",
        unit: Unit::Milliseconds,
        also: " at its Connector",
    },
    Family {
        name: "Jetty",
        processes: &[],
        defaults: &[30],
        setting: "jetty.http.idleTimeout=",
        unit: Unit::Milliseconds,
        also: "",
    },
    Family {
        name: "Kestrel",
        processes: &[],
        defaults: &[120, 130],
        setting: "Limits.KeepAliveTimeout of ",
        unit: Unit::Seconds,
        also: " s",
    },
    Family {
        name: "Go",
        processes: &[],
        defaults: &[],
        setting: "Server.IdleTimeout of ",
        unit: Unit::Seconds,
        also: " s",
    },
];

/// A default is recognised if what was learned is this near: half a second of a timer that looks once in a while.
const NEAR: Duration = Duration::from_millis(500);

/// How to raise the backend's timeout above that of nginx, in brackets; nothing where the program is not known and its
/// timeout is no known default. `process` is the name of the backend's process, where it is on this host.
pub(super) fn how_to_raise(process: Option<&str>, timeout: Duration, nginx: Duration) -> String {
    let known = process.and_then(|process| FAMILIES.iter().find(|family| family.is_called(process)));
    if let Some(family) = known {
        return format!(" ({}: {})", family.name, family.set(nginx));
    }
    if process.is_some() {
        return String::new();
    }
    let guesses: Vec<String> = FAMILIES
        .iter()
        .filter(|family| family.defaults.iter().any(|&default| is_default(timeout, default)))
        .map(|family| format!("if it is {}: {}", family.name, family.set(nginx)))
        .collect();
    if guesses.is_empty() { String::new() } else { format!(" ({})", guesses.join("; ")) }
}

fn is_default(timeout: Duration, seconds: u64) -> bool {
    timeout.abs_diff(Duration::from_secs(seconds)) <= NEAR
}

impl Family {
    fn is_called(&self, process: &str) -> bool {
        self.processes
            .iter()
            .any(|name| process.strip_prefix(name).is_some_and(|after| after.is_empty() || after.starts_with(':')))
    }

    /// A quarter above nginx's.
    fn set(&self, nginx: Duration) -> String {
        let above = span::whole_seconds(nginx.mul_f64(1.25));
        let value = match self.unit {
            Unit::Seconds => above,
            Unit::Milliseconds => above * 1000,
        };
        format!("{}{value}{}", self.setting, self.also)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_process_on_this_host_names_its_setting() {
        let said = how_to_raise(Some("node"), Duration::from_secs(6), MINUTE);
        assert_eq!(said, " (Node: server.keepAliveTimeout = 75000, with server.headersTimeout above it)");
        assert_eq!(how_to_raise(Some("puma: cluster"), MINUTE, MINUTE), " (Puma: persistent_timeout 75)");
        assert_eq!(how_to_raise(Some("mystery"), Duration::from_secs(5), MINUTE), "");
    }

    #[test]
    fn elsewhere_a_known_default_suggests_the_programs_that_have_it() {
        let said = how_to_raise(None, Duration::from_millis(5004), MINUTE);
        assert!(said.starts_with(" (if it is Node: server.keepAliveTimeout = 75000"), "{said}");
        assert!(said.contains("; if it is uvicorn: --timeout-keep-alive 75"), "{said}");
        assert!(said.contains("; if it is Apache httpd: KeepAliveTimeout 75"), "{said}");
        assert_eq!(how_to_raise(None, Duration::from_secs(11), MINUTE), "");
    }
}
