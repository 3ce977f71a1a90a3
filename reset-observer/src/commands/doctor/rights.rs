//! The capabilities of this process.

use anyhow::Result;
use rustix::thread::CapabilitySet;

use crate::{
    kernel::privilege::{self, OPTIONAL, OptionalCapability},
    sandbox::{self, Needs, Sandbox},
    sink::checks::{Check, Finding},
};

const NO_PROC: &str = "mount /proc, or allow capget(2)";

/// The capabilities that loading needs.
pub(super) fn required(effective: &Result<CapabilitySet>) -> Check {
    let finding = match effective {
        Err(error) => Finding::unknown(format!("{error:#}"), NO_PROC),
        Ok(effective) => match privilege::missing(*effective).as_slice() {
            [] if effective.contains(CapabilitySet::BPF | CapabilitySet::PERFMON) => {
                Finding::ok("CAP_BPF and CAP_PERFMON")
            }
            [] => Finding::ok("CAP_SYS_ADMIN, which stands for CAP_BPF and CAP_PERFMON"),
            missing => Finding::missing(format!("without {}", missing.join(" and ")), privilege::how_to_grant()),
        },
    };
    Check::required("capabilities", finding)
}

/// The capabilities that reading about nginx's processes may need.
pub(super) fn optional(effective: &Result<CapabilitySet>) -> Vec<Check> {
    OPTIONAL.iter().map(|one| Check::optional(one.name.to_lowercase(), held(one, effective))).collect()
}

/// What a running observer would give up here. It is tried, on a thread that ends with it.
pub(super) fn given_up() -> Check {
    let needs = Needs { capabilities: privilege::kept(), writes: Vec::new() };
    Check::optional("sandbox", given_up_by(&sandbox::rehearse(&needs)))
}

fn given_up_by(sandbox: &Sandbox) -> Finding {
    let shortfalls: Vec<&str> = sandbox.shortfalls().map(|(_, reason)| reason).collect();
    if shortfalls.is_empty() {
        return Finding::ok(format!("once attached: {}", sandbox.in_force()));
    }
    let remedy = "start as root, in a container with the capabilities SETUID and SETGID too, on a kernel with \
                  CONFIG_SECCOMP_FILTER; it runs all the same";
    Finding::missing(format!("once attached: {}; but {}", sandbox.in_force(), shortfalls.join("; ")), remedy)
}

fn held(capability: &OptionalCapability, effective: &Result<CapabilitySet>) -> Finding {
    let OptionalCapability { name, set, purpose, lack, .. } = capability;
    match effective {
        Err(error) => Finding::unknown(format!("{error:#}"), NO_PROC),
        Ok(effective) if effective.contains(*set) => Finding::ok(*purpose),
        Ok(_) => Finding::missing(
            format!("{lack}: {purpose}"),
            format!("grant {name} (systemd: AmbientCapabilities, container: capabilities.add)"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::{sandbox::Measure, sink::checks::State};

    #[test]
    fn root_has_what_is_required_and_an_ordinary_user_is_told_how_to_get_it() {
        let all = required(&Ok(CapabilitySet::BPF | CapabilitySet::PERFMON));
        assert_eq!((all.state, all.remedy), (State::Ok, None));
        let none = required(&Ok(CapabilitySet::empty()));
        assert_eq!((none.state, none.found.as_str()), (State::Missing, "without CAP_BPF and CAP_PERFMON"));
        assert!(none.remedy.is_some_and(|remedy| remedy.contains("setcap cap_bpf,cap_perfmon")));
    }

    #[test]
    fn sys_admin_is_said_to_stand_for_both() {
        assert!(required(&Ok(CapabilitySet::SYS_ADMIN)).found.contains("stands for"));
    }

    #[test]
    fn an_optional_capability_says_what_is_not_known_without_it() {
        let checks = optional(&Ok(CapabilitySet::SYS_PTRACE));
        assert_eq!(
            checks.iter().map(|check| check.state).collect::<Vec<_>>(),
            [State::Ok, State::Missing, State::Missing]
        );
        assert!(checks[1].found.contains("listening addresses"), "{:?}", checks[1]);
        assert!(checks[1].remedy.as_ref().is_some_and(|remedy| remedy.contains("CAP_DAC_READ_SEARCH")));
    }

    #[test]
    fn what_cannot_be_given_up_is_said_beside_what_can() {
        let sandbox =
            |user| Sandbox { measures: vec![(Measure::User, user), (Measure::Seccomp, Ok("calls".to_owned()))] };
        let all = Check::optional("sandbox", given_up_by(&sandbox(Ok("runs as user 7".to_owned()))));
        assert_eq!((all.state, all.found.as_str()), (State::Ok, "once attached: runs as user 7; calls"));
        let part = Check::optional("sandbox", given_up_by(&sandbox(Err("stays root".to_owned()))));
        assert_eq!((part.state, part.found.as_str()), (State::Missing, "once attached: calls; but stays root"));
    }

    #[test]
    fn capabilities_that_cannot_be_read_are_unknown() {
        let check = required(&Err(anyhow!("capget: refused")));
        assert_eq!((check.state, check.found.as_str()), (State::Unknown, "capget: refused"));
    }
}
