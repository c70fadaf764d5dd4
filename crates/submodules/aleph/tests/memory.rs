//! What a request of many nested lists costs. Alone in its file, and so in its process: the peak of memory is the process's.

use edeposit_aleph::messages::{ISBNToValidate, ISBNValidationRequest, Loose};

/// The most memory this process has had so far, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// A copy for each level would make hundreds of megabytes of these 200 kB.
#[test]
fn nesting_is_no_multiplier() {
    let (open, items, close) = (
        "[".repeat(100),
        vec!["1"; 100_000].join(","),
        "]".repeat(100),
    );
    let body = format!(r#"{{"__nt_name": "ISBNValidationRequest", "ISBN": {open}{items}{close}}}"#);
    let before = peak();
    let request: ISBNValidationRequest = edeposit_serializers::from_str(&body).unwrap();
    let used = peak() - before;
    assert!(matches!(
        request.ISBN,
        ISBNToValidate::Value(Loose::List(_))
    ));
    assert!(used < 100_000, "{used} kB");
}
