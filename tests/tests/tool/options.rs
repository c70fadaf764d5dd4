//! The command line itself: options that need others, completion, what is printed and where.

use std::fs;

use anyhow::Result;
use edeposit_testkit::RabbitNode;

use crate::runner::Tool;

#[test]
fn options_that_say_nothing_alone_are_refused() -> Result<()> {
    let tool = Tool::new()?;
    for (args, said) in [
        (
            &["--queue-type", "quorum"][..],
            "--queue-type needs --create or --export-definitions",
        ),
        (
            &["--create", "--delivery-limit", "3"],
            "--delivery-limit needs --queue-type quorum",
        ),
        (
            &["--get", "--dead-letter"],
            "--dead-letter needs --create, --export-definitions or --check",
        ),
        (
            &["--put", "-", "--queue", "x"],
            "--queue needs --get or --peek",
        ),
        (
            &["--check", "--count", "1"],
            "--count needs --get, --peek or --replay",
        ),
        (
            &["--put", "-", "--json"],
            "--json needs --get, --peek or --check",
        ),
        (&["--replay", "x", "--yes"], "--yes needs --purge QUEUE"),
        (
            &["--get", "--count", "0"],
            "invalid value '0' for '--count <N>'",
        ),
    ] {
        let outcome = tool.ftp(args)?;
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    }
    Ok(())
}

#[test]
fn shells_complete_the_options() -> Result<()> {
    let tool = Tool::new()?;
    for shell in ["bash", "zsh", "fish"] {
        let script = tool.run(&["--completions", shell])?.success()?;
        assert!(script.contains("edeposit_amqp_tool"), "{shell}");
        for option in ["replay", "dead-letter", "export-definitions"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
    let script = tool.run(&["--completions", "bash"])?.success()?;
    let file = tool.home.path().join("completions");
    fs::write(&file, script)?;
    // Bash itself takes it, and completes by it.
    let mut bash = std::process::Command::new("bash");
    bash.args([
        "-c",
        ". \"$1\"; COMP_WORDS=(edeposit_amqp_tool --exp); COMP_CWORD=1; \
         _edeposit_amqp_tool edeposit_amqp_tool --exp edeposit_amqp_tool; echo \"${COMPREPLY[@]}\"",
        "bash",
    ])
    .arg(&file);
    let outcome = crate::runner::finish(bash, b"")?;
    assert_eq!(
        outcome.stdout, "--export-definitions\n",
        "{}",
        outcome.stderr
    );
    Ok(())
}

#[test]
fn a_closed_standard_output_is_no_error() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let tool = Tool::of(node, vhost.name())?;
    tool.ftp(&["--create"])?.success()?;
    for args in [
        &["--host", "ftp", "--check"][..],
        &["--host", "all", "--export-definitions"],
        &["--completions", "bash"],
        &["--list"],
    ] {
        let mut child = tool
            .command(args)?
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr)?, "", "{args:?}");
    }
    Ok(())
}

#[test]
fn the_commands_that_are_shown_name_the_settings_file() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    vhost.delete()?;
    let tool = Tool::of(node, vhost.name())?;
    let file = tool.home.path().join("my settings.json");
    fs::write(&file, "{}")?;
    let file = file.display().to_string();
    let outcome = tool.ftp(&["--settings", &file, "--get"])?;
    let expected = format!("run: edeposit_amqp_tool --settings '{file}' --host ftp --create\n");
    assert!(outcome.stderr.ends_with(&expected), "{}", outcome.stderr);
    Ok(())
}
