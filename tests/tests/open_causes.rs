//! Cases that the observer does not name reliably yet: until it does, it must at least not be sure of something wrong.
//!
//! A case that it has learned to name moves to `causes.rs`. What was said is printed (`--nocapture`).

use lab::topology::Family::V4;
use lab::trial::assert_no_false_certainty;

#[test]
fn a_response_that_the_backend_cuts_short_misleads_no_one() {
    assert_no_false_certainty("abort_cut", V4);
}
