use super::*;

#[test]
fn a_process_that_is_gone_is_told() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert!(format!("{:#}", Running::read(pid).unwrap_err()).contains("is gone"));
}
