use super::*;

/// What follows the block.
fn after(code: &str) -> &str {
    &code[end_of_block(code.as_bytes()).unwrap()..]
}

#[test]
fn braces_of_tables_are_counted() {
    assert_eq!(after("local t = {{}, {1}} } rest"), " rest");
}

#[test]
fn braces_in_strings_comments_and_long_brackets_are_not() {
    for code in [
        r#" say("}{", '}', "\"}", '\'}') "#,
        " -- }} {\n ",
        " --[[ }\n } ]] ",
        " --[==[ } ]] ]=] } ]==] ",
        " x = [[ } ' \" -- ]] ",
        " x = [=[ ]] } ]=] ",
        " --[==} not a long bracket\n ",
        " --[[ --]] ",
        " t1[t2[1]] = [[ok--]] ",
    ] {
        assert_eq!(after(&format!("{code}}} rest")), " rest", "{code:?}");
    }
}

#[test]
fn a_comment_ends_with_its_line_even_if_it_looks_like_more() {
    assert_eq!(after("--[=x[ }\n} rest"), " rest");
    assert_eq!(after("-} rest"), " rest", "one dash is a minus");
}

#[test]
fn a_quote_that_is_not_closed_on_its_line_is_no_string() {
    assert_eq!(after("it's } rest"), " rest");
    assert_eq!(after("\"\n\" } \" } rest"), " rest");
}

#[test]
fn code_without_an_end_is_told_from_where_it_is_open() {
    let unclosed = end_of_block(b"a { b").unwrap_err();
    assert_eq!(unclosed.at, 2);
    assert_eq!(unclosed.says, "unexpected end of file, expecting terminating characters for lua code block");
    let unclosed = end_of_block(b"x = [==[ } ]=] }").unwrap_err();
    assert_eq!((unclosed.at, unclosed.says.as_str()), (4, "Lua code block missing the closing long bracket \"]==]\""));
}

#[test]
fn long_rows_of_what_almost_closes_cost_no_more_than_their_length() {
    for piece in ["\\\"", "[=", "]=", "--[=", "\"\\"] {
        let code = format!("[=[{}", piece.repeat(200_000));
        assert!(end_of_block(code.as_bytes()).is_err());
        let code = piece.repeat(200_000);
        _ = end_of_block(code.as_bytes());
    }
}
