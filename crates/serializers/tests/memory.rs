//! What a message of very many small values costs. Alone in its file, and so in its process: the peak of memory is the
//! process's.

use edeposit_serializers::{ErrorKind, MAX_VALUES, parse};

/// As long as a daemon takes requests by default.
const LONGEST_REQUEST: usize = 128 * 1024 * 1024;

/// A line of the process's status, in kB: `VmHWM` is the most memory it has had, `VmRSS` what it has now.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// Unbounded, such a message would take up to seven gigabytes.
#[test]
fn many_small_values_take_bounded_memory() {
    for item in ["1", "[1]", "{\"\":1}", "[[[]]]", "\"\""] {
        let mut body = String::with_capacity(LONGEST_REQUEST);
        body.push('[');
        while body.len() < LONGEST_REQUEST - 2 * item.len() {
            body.push_str(item);
            body.push(',');
        }
        body.push_str(item);
        body.push(']');
        // Forgets the peak so far.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = memory("VmRSS:");
        let error = parse(body.as_bytes()).unwrap_err();
        let used = memory("VmHWM:").saturating_sub(before);
        assert_eq!(error.kind(), &ErrorKind::TooMany, "{item}");
        assert_eq!(error.to_string(), format!("more than {MAX_VALUES} values"));
        println!("{item}: {used} kB");
        assert!(used < 200_000, "{item}: {used} kB");
    }
    let most = format!("[{}]", vec!["1"; MAX_VALUES - 1].join(","));
    assert!(parse(most.as_bytes()).is_ok());
}
