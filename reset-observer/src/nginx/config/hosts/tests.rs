use super::*;

#[test]
fn names_have_all_their_addresses() {
    let hosts =
        Hosts::parse("127.0.0.1 localhost\n::1\tlocalhost Loopback # last\nnonsense x\n\n10.0.0.1\n#10.0.0.2 y");
    assert_eq!(hosts.addresses("LOCALHOST."), ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(hosts.addresses("loopback").len(), 1);
    assert!(hosts.addresses("last").is_empty() && hosts.addresses("y").is_empty());
}

#[test]
fn a_missing_file_has_no_names() {
    let dir = tempfile::tempdir().unwrap();
    let source = super::super::source::Root::at(dir.path()).unwrap();
    assert_eq!(Hosts::read(&source), Hosts::default());
}
