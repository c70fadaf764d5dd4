//! A test that cannot check its matter says so, and fails where everything must be checked.

use std::process::Command;

use edeposit_testkit::skip;

#[test]
#[ignore = "run by the other test"]
fn skipped() {
    skip("the moon is not full");
}

#[test]
fn a_skip_is_seen_and_fails_where_ci_is_true() {
    for (ci, passes) in [(None, true), (Some("false"), true), (Some("true"), false)] {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "--ignored", "skipped"]);
        test.env_remove("CI").envs(ci.map(|ci| ("CI", ci)));
        let output = test.output().unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.success(), passes, "{ci:?}: {out}{err}");
        match passes {
            true => assert_eq!(err, "SKIPPED skipped: the moon is not full\n"),
            false => assert!(out.contains("the moon is not full"), "{out}"),
        }
    }
}
