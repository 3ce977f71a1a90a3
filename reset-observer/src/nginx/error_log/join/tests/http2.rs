//! What nginx logs of servers to which it speaks HTTP/2.

use super::*;

#[test]
fn a_server_that_spoke_before_it_answered_is_over_http2_only() {
    for (scheme, is_own) in [("grpc", true), ("grpcs", true), ("http", false)] {
        let text = format!(
            "2026/11/22 13:45:03 [error] 3632#3632: *7 {CLOSED}, client: 127.0.0.1, server: , request: \"POST /lab HTTP/1.1\", \
             upstream: \"{scheme}://10.99.2.1:3000\", host: \"x\""
        );
        let line = Line::parse(text.as_bytes()).unwrap();
        assert_eq!(Ending::CutShort.fits(&line), is_own, "{scheme}");
        assert_eq!(Ending::CutShort.may_fit(&line), !is_own, "{scheme}: written after the FIN, if at all");
        let mut joiner = joiner();
        joiner.expect(end(Ending::CutShort, 1000));
        joiner.line(LOG, line, seen(1001));
        let answers = joiner.poll(ms(1300));
        let [(_, answer)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(joined(answer).over_http2, is_own, "{scheme}");
    }
}

#[test]
fn over_http2_a_line_may_be_of_an_end_on_which_nginx_had_the_last_word() {
    let cut = "upstream prematurely closed connection while reading upstream";
    for (scheme, fits) in [("grpc", true), ("http", false)] {
        let text = format!(
            "2026/11/22 13:45:03 [error] 3632#3632: *7 {cut}, client: 127.0.0.1, server: , request: \"POST /lab HTTP/1.1\", \
             upstream: \"{scheme}://10.99.2.1:3000\", host: \"x\""
        );
        assert_eq!(Ending::Closed.fits(&Line::parse(text.as_bytes()).unwrap()), fits, "{scheme}");
    }
}

#[test]
fn a_server_that_says_that_it_takes_no_request_may_end_the_connection_in_any_way() {
    for said in ["upstream sent goaway with error 0", "upstream rejected request with error 7"] {
        let text = format!(
            "2026/11/22 13:45:03 [error] 3632#3632: *7 {said} while reading response header from upstream, client: 127.0.0.1, \
             server: , request: \"POST /lab HTTP/2.0\", upstream: \"grpc://10.99.2.1:3000\", host: \"x\""
        );
        let line = Line::parse(text.as_bytes()).unwrap();
        for ending in Ending::ALL {
            let is_answered = !matches!(ending, Ending::Refused | Ending::Silent | Ending::Quiet);
            assert_eq!(ending.fits(&line), is_answered, "{said}, {ending}");
        }
    }
}
