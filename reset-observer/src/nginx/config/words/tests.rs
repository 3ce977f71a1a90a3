use super::*;

fn tokens(text: &[u8]) -> Result<Vec<String>, Fault> {
    let mut tokens = Tokens::new(text, Kind::File);
    let mut found = Vec::new();
    loop {
        let show = |statement: &Statement, end: &str| {
            let words: Vec<_> = statement.words.iter().map(|word| word.escape_ascii().to_string()).collect();
            format!("{}: {}{end}", statement.line, words.join("|"))
        };
        match tokens.next_token()? {
            Token::Simple(statement) => found.push(show(&statement, ";")),
            Token::Open(statement) => found.push(show(&statement, "{")),
            Token::Close => found.push("}".into()),
            Token::End => return Ok(found),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let found = tokens(text.as_bytes()).unwrap();
    assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    let one = found[0].split_once(": ").unwrap().1;
    one.trim_end_matches([';', '{']).split('|').map(str::to_owned).collect()
}

fn refused(text: &str) -> (u32, String) {
    let fault = tokens(text.as_bytes()).unwrap_err();
    (fault.line, fault.says)
}

#[test]
fn words_are_parted_by_any_white_space() {
    assert_eq!(words("  a\tb\r\n c\n;"), ["a", "b", "c"]);
    assert_eq!(words("a;"), ["a"]);
}

#[test]
fn quotes_keep_what_would_end_a_word() {
    assert_eq!(words(r#"a "b c;{}#" 'd "e"';"#), ["a", "b c;{}#", "d \\\"e\\\""]);
    assert_eq!(words(r#"a "" '';"#), ["a", "", ""], "empty words are words");
}

#[test]
fn a_backslash_is_taken_from_quotes_backslashes_and_three_letters_alone() {
    assert_eq!(tokens(br#"a "\"\'\\\t\r\n" \x\d\ y;"#).unwrap(), [r#"1: a|\"\'\\\t\r\n|\\x\\d\\ y;"#]);
}

#[test]
fn an_escaped_end_ends_nothing() {
    assert_eq!(words(r"a b\;c d\{e f\}g;"), ["a", r"b\\;c", r"d\\{e", r"f\\}g"]);
}

#[test]
fn a_brace_after_a_dollar_belongs_to_the_word() {
    assert_eq!(words("a ${b}c;"), ["a", "${b}c"]);
    assert_eq!(tokens(b"a $b{c;").unwrap(), ["1: a|$b{", "1: c;"], "but not after the name");
}

#[test]
fn a_hash_within_a_word_begins_no_comment() {
    assert_eq!(words("a b#c # d;\n;"), ["a", "b#c"]);
}

#[test]
fn a_closing_brace_within_a_word_closes_nothing() {
    assert_eq!(words("a b}c;"), ["a", "b}c"]);
}

#[test]
fn a_bracket_may_follow_a_quote_at_once() {
    assert_eq!(words(r#"if ($a = "b") {"#), ["if", "($a", "=", "b", ")"]);
}

#[test]
fn a_directive_has_the_line_of_its_first_word() {
    let text = b"# one\na {\r\n\r\n  b\n c 'd\ne';\n}\nf;";
    assert_eq!(tokens(text).unwrap(), ["2: a{", "4: b|c|d\\ne;", "}", "8: f;"]);
}

#[test]
fn bytes_beyond_ascii_are_bytes() {
    assert_eq!(tokens("a é€;".as_bytes()).unwrap(), [r"1: a|\xc3\xa9\xe2\x82\xac;"]);
    assert_eq!(tokens(b"a \xff\x00\xfe;").unwrap(), [r"1: a|\xff\x00\xfe;"]);
}

#[test]
fn a_comment_at_the_end_needs_no_newline() {
    assert_eq!(tokens(b"a; # b").unwrap(), ["1: a;"]);
    assert_eq!(tokens(b"").unwrap(), [""; 0]);
}

#[test]
fn what_nginx_refuses_is_refused_in_its_words() {
    let unfinished = "unexpected end of file, expecting \";\" or \"}\"";
    for (text, line, says) in [
        ("a", 1, unfinished),
        ("a 'b'", 1, unfinished),
        ("a\n\"b;\n", 3, unfinished),
        (";", 1, "unexpected \";\""),
        ("a;\n{", 2, "unexpected \"{\""),
        ("a }", 1, "unexpected \"}\""),
        ("a 'b'c;", 1, "unexpected \"c\""),
        ("a 'b''c';", 1, "unexpected \"'\""),
    ] {
        assert_eq!(refused(text), (line, says.to_owned()), "{text:?}");
    }
}

#[test]
fn a_word_as_long_as_nginxs_buffer_is_refused_where_it_began() {
    assert_eq!(words(&format!("a\n{};", "b".repeat(4095)))[1].len(), 4095);
    let long = "b".repeat(4096);
    assert_eq!(refused(&format!("a\n{long};")), (2, "too long parameter \"bbbbbbbbbb...\" started".into()));
    let says = "too long parameter, probably missing terminating \"\"\" character";
    assert_eq!(refused(&format!("a\n\"\n{long};")), (2, says.into()));
    assert_eq!(tokens(format!("#{}\n  a;", &long[..4094]).as_bytes()).unwrap(), ["2: a;"]);
    assert!(refused(&format!("# {long}\n")).1.starts_with("too long parameter \"# bbbbbbbb...\""), "a comment too");
}

#[test]
fn an_option_may_be_longer_and_ends_in_other_words() {
    let long = format!("a {};", "b".repeat(5000));
    assert!(matches!(Tokens::new(long.as_bytes(), Kind::Option).next_token(), Ok(Token::Simple(_))));
    let fault = Tokens::new(b"daemon off", Kind::Option).next_token().unwrap_err();
    assert_eq!(fault.says, "unexpected end of parameter, expecting \";\"");
}
