//! Whether the programs really load and attach: the only honest check is to do it, and to detach them again.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result};
use reset_observer_ebpf::{DEFAULT_RING_BYTES, MAX_OWNERS};
use rustix::thread::CapabilitySet;

use crate::{
    kernel::{
        btf::Btf,
        counters::Counters,
        features::{Feature, Features},
        privilege,
        programs::{self, Options, Programs},
        ring::Ring,
    },
    sink::checks::{Check, Finding},
};

/// A sentence longer than this is cut in the middle: the verifier can say megabytes, and the ends of it matter.
const LONGEST: usize = 480;

/// Whether user space was built with the eBPF part.
pub(super) fn built_in() -> Check {
    let finding = match programs::object_len() {
        0 => Finding::missing(
            "this program was built without its eBPF part (AYA_BUILD_SKIP was set)",
            "run `cargo xtask setup` and build again, or install a package",
        ),
        bytes => Finding::ok(format!("built in, {} KiB", bytes.div_ceil(1024))),
    };
    Check::required("ebpf_object", finding)
}

/// What came of the attempt.
pub(super) enum Attempt {
    /// It was not made, for this reason.
    NotMade(String),
    /// So many programs ran for an instant.
    Loaded {
        /// How long the whole took.
        took: Duration,
        /// How many, the optional ones included.
        attached: usize,
    },
    /// The kernel would not have them.
    Failed(Error),
}

/// Loads and attaches everything, then lets go of it. Also returns the features that the programs used.
pub(super) fn load(btf: Option<&Btf>, effective: Option<CapabilitySet>) -> (Attempt, Option<Vec<Feature>>) {
    let missing = effective.map(|effective| privilege::missing(effective).join(" and ")).unwrap_or_default();
    let Some(btf) = btf else { return (Attempt::NotMade("there is no type information".to_owned()), None) };
    if programs::object_len() == 0 {
        return (Attempt::NotMade("there are no programs in this build".to_owned()), None);
    }
    if !missing.is_empty() {
        return (Attempt::NotMade(format!("{missing} missing")), None);
    }
    let mut features = match Features::detect(btf) {
        Ok(features) => features,
        Err(error) => return (Attempt::NotMade(format!("{error:#}")), None),
    };
    let started = Instant::now();
    match try_all(btf, &mut features) {
        Ok(()) => {
            let attached = features.attached().count();
            (Attempt::Loaded { took: started.elapsed(), attached }, Some(features.list()))
        }
        Err(error) => (Attempt::Failed(error), None),
    }
}

fn try_all(btf: &Btf, features: &mut Features) -> Result<()> {
    let options = Options {
        ports: &[],
        ring_bytes: DEFAULT_RING_BYTES,
        max_owners: MAX_OWNERS,
        log_level: 0,
        rst_packets_by_cgroup: false,
    };
    let mut programs = Programs::load(btf, features, &options)?;
    drop(Ring::new(&mut programs)?);
    Counters::new(&mut programs, MAX_OWNERS, &[])?.read().context("the counters cannot be read").map(drop)
}

impl Attempt {
    /// Whether rights, not the programs, may be the reason that they do not run.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Loaded { .. } => false,
            Self::NotMade(reason) => reason.starts_with("CAP_"),
            Self::Failed(error) => error.chain().any(|cause| {
                let io = cause.downcast_ref::<io::Error>();
                io.is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied)
            }),
        }
    }

    /// The line that says so.
    pub(super) fn check(&self) -> Check {
        let finding = match self {
            Self::Loaded { took, attached } => {
                Finding::ok(format!("{attached} load, attach and detach in {} ms", took.as_millis()))
            }
            Self::NotMade(reason) => {
                Finding::unknown(format!("not tried: {reason}"), "do what the lines above say, then run doctor again")
            }
            Self::Failed(error) => Finding::missing(
                shorten(&format!("{error:#}")),
                "see the lines above; if none explains it, report this with the kernel's version (`uname -r`)",
            ),
        };
        Check::required("programs", finding)
    }
}

/// One line of at most about [`LONGEST`] characters, cut in the middle.
fn shorten(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: Vec<char> = words.join(" ").chars().collect();
    if line.len() <= LONGEST {
        return line.into_iter().collect();
    }
    let half = LONGEST / 2;
    let (head, tail) = (&line[..half], &line[line.len() - half..]);
    format!("{} ... {}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::sink::checks::State;

    #[test]
    fn what_was_not_tried_is_unknown_and_says_why() {
        let check = load(None, Some(CapabilitySet::all())).0.check();
        assert_eq!((check.state, check.found.as_str()), (State::Unknown, "not tried: there is no type information"));
    }

    #[test]
    fn a_refusal_by_rights_is_told_from_a_defect() {
        let denied = Error::new(io::Error::from_raw_os_error(1)).context("bpf_map_create");
        assert!(Attempt::Failed(denied).is_refusal());
        assert!(!Attempt::Failed(anyhow!("the verifier: invalid access")).is_refusal());
        assert!(Attempt::NotMade("CAP_BPF missing".to_owned()).is_refusal());
        assert!(!Attempt::Loaded { took: Duration::ZERO, attached: 3 }.is_refusal());
    }

    #[test]
    fn the_verifiers_novel_keeps_its_first_and_last_words() {
        let novel = format!("refused tcp_send_reset:\n{}\n  last words", "0: (b7) r0 = 0\n".repeat(10_000));
        let line = shorten(&novel);
        assert!(line.starts_with("refused tcp_send_reset: 0:") && line.ends_with("last words"), "{line}");
        assert!(line.len() < LONGEST + 10 && !line.contains('\n'));
    }
}
