//! What cargo cannot say: set-up, demo, tests, checks.
fn main() {}
