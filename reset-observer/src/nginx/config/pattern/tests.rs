use super::*;

fn holds(pattern: &str, name: &str) -> bool {
    matches(pattern.as_bytes(), name.as_bytes())
}

#[test]
fn wildcards_match_as_in_glob() {
    for (pattern, name) in [
        ("*.conf", "a.conf"),
        ("*", "a"),
        ("a*b*c", "aXbYbZc"),
        ("?", "a"),
        ("[ab]*", "b"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("[^a-c]x", "dx"),
        ("[]a]", "]"),
        ("[!]a]", "b"),
        ("[a-]", "-"),
        ("[[:digit:][:upper:]]", "7"),
        ("[[:digit:]_]", "_"),
        (r"\*", "*"),
        (r"[\]]", "]"),
        ("[a", "[a"),
        (".*", ".hidden"),
        ("**a", "ba"),
    ] {
        assert!(holds(pattern, name), "{pattern} should match {name}");
    }
}

#[test]
fn what_does_not_match_does_not() {
    for (pattern, name) in [
        ("*.conf", "a.conf~"),
        ("*", ".hidden"),
        ("?hidden", ".hidden"),
        ("[.]hidden", ".hidden"),
        ("", "a"),
        ("a", ""),
        ("a*b*c", "abbb"),
        ("[!a-c]x", "ax"),
        ("[[:digit:]]", "a"),
        (r"\*", "a"),
        ("?", "ab"),
    ] {
        assert!(!holds(pattern, name), "{pattern} should not match {name}");
    }
}

#[test]
fn a_pattern_made_to_be_slow_is_not() {
    assert!(!holds(&"*a".repeat(200), &"a".repeat(199)));
    assert!(!holds(&"*[".repeat(2000), &"a".repeat(255)));
}

#[test]
fn a_component_without_wildcards_loses_its_backslashes() {
    assert_eq!(literal(br"a\*\\b\"), br"a*\b\");
}
