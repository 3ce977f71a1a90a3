use super::*;

#[test]
fn a_process_that_is_gone_is_told() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert!(format!("{:#}", Running::read(pid).unwrap_err()).contains("is gone"));
}

impl Running {
    /// An nginx of unknown version that was told this, which must be in order.
    pub(in crate::nginx) fn told(text: &str) -> Self {
        let configuration = super::super::tests::configuration(text);
        let index = UpstreamIndex::new(&configuration, &|_| Vec::new());
        let first_log = LogTarget::read(b"/var/log/first.log", Path::new("/"));
        Self { version: None, configuration, index, first_log, stale: None }
    }
}
