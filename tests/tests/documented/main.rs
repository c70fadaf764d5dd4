//! What readers are shown: the examples run, and the page of promises names the tests that show them.

mod examples;
mod greeter;
mod reliability_page;
