//! What nginx logs of servers to which it speaks HTTP/2.

use super::*;

#[test]
fn a_server_that_spoke_before_it_answered_is_over_http2_only() {
    for (scheme, is_own) in [("grpc", true), ("grpcs", true), ("http", false)] {
        let text = format!(
            "2026/11/22 13:45:03 [error] 3632#3632: *7 {CLOSED}, client: 127.0.0.1, server: , request: \"POST /lab HTTP/1.1\", \
             upstream: \"{scheme}://10.99.2.1:3000\", host: \"x\""
        );
        let mut joiner = joiner();
        joiner.expect(end(Ending::CutShort, 1000));
        joiner.line(LOG, Line::parse(text.as_bytes()).unwrap(), seen(1001));
        let joined = matches!(joiner.poll(ms(1300))[..], [(_, Answer::Joined(_))]);
        assert_eq!(joined, is_own, "{scheme}");
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
