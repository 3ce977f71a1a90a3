//! Who is a proxy, and which part a process plays in it.

use super::{FoundProcess, ProcessName};
use crate::verdict::Role;

/// What nginx and its descendants write before their title: openresty, tengine, freenginx and ingress-nginx kept
/// nginx's, angie has its own. Not any word: `php-fpm: master process` is no proxy.
const TITLES: [&str; 2] = ["nginx: ", "angie: "];

/// Names of executables that are nginx, where no title tells: with `master_process off`, and before a title is set.
const PROGRAMS: [&str; 7] = ["nginx", "nginx-debug", "openresty", "tengine", "angie", "angie-debug", "freenginx"];

/// nginx's options by which it does one thing and ends: test, version, help, signal ([source]).
///
/// [source]: https://github.com/nginx/nginx/blob/release-1.28.0/src/core/nginx.c#L769-L926
const ERRANDS: [char; 7] = ['t', 'T', 'v', 'V', 'h', '?', 's'];

/// Which kind of proxy: how much is known of it besides its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// nginx or a descendant: it has a configuration and an error log that can be read.
    Nginx,
    /// A program named by `--process`: nothing is known of it but its connections.
    Generic,
}

/// Whether the kernel's name for a process is one of nginx's own.
pub(super) fn is_comm_of_nginx(comm: &str) -> bool {
    PROGRAMS.contains(&comm)
}

/// The kind of proxy that a process belongs to; `None` if it is no proxy.
pub(crate) fn profile(process: &FoundProcess, names: &[ProcessName]) -> Option<Profile> {
    if after_title_prefix(process).is_some() || is_untitled_nginx(process) {
        return Some(Profile::Nginx);
    }
    names.iter().any(|name| name.names(process)).then_some(Profile::Generic)
}

fn after_title_prefix(process: &FoundProcess) -> Option<&str> {
    TITLES.iter().find_map(|prefix| process.title.strip_prefix(prefix))
}

fn is_untitled_nginx(process: &FoundProcess) -> bool {
    let named = process.exe.as_deref().is_some_and(is_comm_of_nginx) || is_comm_of_nginx(&process.comm);
    let option = |word: &str| word.strip_prefix('-').and_then(|rest| rest.chars().next());
    named && !process.title.split(' ').skip(1).filter_map(option).any(|option| ERRANDS.contains(&option))
}

/// The part a process plays, by its title and, where the title does not decide, by its place in the tree.
///
/// A worker inherits the title of its master until it sets its own, and the master that takes over in a binary upgrade
/// is a child of the old one: of these two, only the master has children. nginx with `master_process off` sets no title.
pub(super) fn role<'a>(process: &FoundProcess, all: impl Iterator<Item = &'a FoundProcess> + Clone) -> Role {
    let child_of_proxy = all.clone().any(|other| other.pid == process.parent);
    let parent_of_proxy = all.into_iter().any(|other| other.parent == process.pid);
    match after_title_prefix(process) {
        Some(title) if title.starts_with("worker process") => Role::Worker,
        Some(title) if title.starts_with("cache ") => Role::Cache,
        Some(title) if title.starts_with("master process") && child_of_proxy && !parent_of_proxy => Role::Worker,
        Some(title) if title.starts_with("master process") => Role::Master,
        Some(_) => Role::Other,
        None if is_untitled_nginx(process) && parent_of_proxy => Role::Master,
        // Any process of another program may open connections, its first one too.
        None => Role::Worker,
    }
}

/// Whether it serves only what it has begun: after a reload, or the end of its master.
pub(super) fn is_shutting_down(process: &FoundProcess) -> bool {
    process.title.contains("is shutting down")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, exe: &str, title: &str) -> FoundProcess {
        let exe = Some(exe.to_owned());
        FoundProcess { comm: comm.into(), exe, title: title.into(), ..FoundProcess::default() }
    }

    fn is_nginx(comm: &str, exe: &str, title: &str) -> bool {
        profile(&process(comm, exe, title), &[]) == Some(Profile::Nginx)
    }

    #[test]
    fn descendants_of_nginx_are_known_by_their_titles() {
        for title in [
            "nginx: master process /usr/local/openresty/nginx/sbin/nginx -g daemon off;",
            "nginx: worker process is shutting down",
            "nginx: privileged agent process",
            "angie: master process v1.7.0 #6 [/usr/sbin/angie -c /etc/angie/angie.conf]",
            "angie: worker process #6",
        ] {
            assert!(is_nginx("edge-proxy", "edge-proxy", title), "{title}");
        }
    }

    #[test]
    fn without_a_title_the_name_of_the_program_tells() {
        assert!(is_nginx("nginx", "nginx", "nginx -g master_process off;"));
        assert!(is_nginx("openresty", "nginx", "openresty -p /srv"));
        assert!(is_nginx("web", "nginx-debug", "/usr/local/bin/web"));
        assert!(!is_nginx("vi", "vim.basic", "vi /etc/nginx/nginx.conf"));
        assert!(!is_nginx("php-fpm8.2", "php-fpm8.2", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"));
    }

    #[test]
    fn an_nginx_that_only_tests_or_signals_is_no_proxy() {
        for title in ["nginx -t", "nginx -s reload", "/usr/sbin/nginx -c /etc/nginx/nginx.conf -tq", "nginx -V"] {
            assert!(!is_nginx("nginx", "nginx", title), "{title}");
        }
    }

    #[test]
    fn a_program_that_was_named_is_a_generic_proxy() {
        let names = ["envoy".parse().unwrap()];
        assert_eq!(profile(&process("envoy", "envoy", "envoy -c x.yaml"), &names), Some(Profile::Generic));
        assert_eq!(profile(&process("node", "node", "node server.js"), &names), None);
    }

    #[test]
    fn angies_parts_are_told_apart() {
        let part = |title: &str| role(&process("angie", "angie", title), std::iter::empty());
        assert_eq!(part("angie: master process v1.7.0 #1 [/usr/sbin/angie]"), Role::Master);
        assert_eq!(part("angie: worker process #1"), Role::Worker);
        assert_eq!(part("angie: cache manager process #1"), Role::Cache);
        assert_eq!(part("nginx: privileged agent process"), Role::Other);
    }
}
