//! `--create` and `--list`: what they print, how they end, and what is in RabbitMQ afterwards.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use anyhow::{Context, Result};
use edeposit_testkit::{ClosedPort, RabbitNode, TlsFiles};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use crate::runner::{FTP, FTP_SCHEMA, NAMES, Tool, schema};

#[test]
fn create_prints_the_documented_text_and_may_be_repeated() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let tool = Tool::of(node, vhost.name())?;
    for _ in 0..2 {
        let outcome = tool.run(&["--create", "--host", "ftp"])?;
        assert_eq!(outcome.stderr, "");
        assert_eq!(outcome.stdout, FTP);
        assert_eq!(outcome.code, Some(0));
        assert_eq!(schema(&vhost)?, FTP_SCHEMA);
    }
    Ok(())
}

#[test]
fn create_for_all_makes_every_schema() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool all")?;
    let mut tool = Tool::of(node, vhost.name())?;
    for name in NAMES {
        let constant = format!("RABBITMQ_{}_VIRTUALHOST", name.to_uppercase());
        tool = tool.set(&constant, vhost.name());
    }
    let outcome = tool.run(&["-c", "-s", "all"])?;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(outcome.stdout.lines().count(), 8 * NAMES.len());
    assert!(
        outcome
            .stdout
            .starts_with("Created exchange 'search'.\nCreating queues:\n")
    );
    assert!(outcome.stdout.contains(FTP));
    assert!(outcome.stdout.ends_with(
        "Created exchange 'update-links'.\n\
         Creating queues:\n\
         \x20 Created durable queue 'updater'.\n\
         \x20 Created durable queue 'plone'.\n\
         \n\
         Routing exchanges using routing key to queues:\n\
         \x20 Routing exchange update-links['request'] -> 'updater'.\n\
         \x20 Routing exchange update-links['result'] -> 'plone'.\n"
    ));
    Ok(())
}

#[test]
fn create_for_a_new_submodule_follows_the_naming_convention() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let outcome = Tool::of(node, "unused")?
        .set("RABBITMQ_MY_THING_VIRTUALHOST", vhost.name())
        .run(&["--create", "--host", "my_thing"])?;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, FTP.replace("ftp", "my_thing"));
    Ok(())
}

#[test]
fn create_makes_a_missing_virtual_host() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool/new")?;
    vhost.delete()?;
    let outcome = Tool::of(node, vhost.name())?.create_ftp()?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Created virtual host '{}', with all rights in it for user 'guest' (by {}).\n",
            vhost.name(),
            node.management_url()
        )
    );
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), FTP));
    assert_eq!(schema(&vhost)?, FTP_SCHEMA);
    Ok(())
}

#[test]
fn create_without_the_virtual_host_and_the_management_api_says_what_to_run() -> Result<()> {
    let node = RabbitNode::shared()?;
    let closed = ClosedPort::new()?;
    let nowhere = format!("http://{}", closed.address());
    let outcome = Tool::of(node, "no such vhost")?
        .set("RABBITMQ_MANAGEMENT_URL", &nowhere)
        .create_ftp()?;
    assert_eq!(
        outcome.stderr,
        format!(
            "Can't connect to virtuahost!\n\
             Make sure, that virtualhost is created.\n\
             RabbitMQ at 127.0.0.1:{} has no virtual host 'no such vhost'; \
             the management API at {nowhere} could not help: Connection refused (os error 111).\n\
             Run on the server:\n  \
             rabbitmqctl add_vhost 'no such vhost'\n  \
             rabbitmqctl set_permissions -p 'no such vhost' guest '.*' '.*' '.*'\n",
            node.amqp_port()
        )
    );
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    Ok(())
}

#[test]
fn a_management_api_that_says_nothing_is_not_waited_for_long() -> Result<()> {
    let node = RabbitNode::shared()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let outcome = Tool::of(node, "no-such-vhost")?
        .set(
            "RABBITMQ_MANAGEMENT_URL",
            format!("http://{}", silent.local_addr()?),
        )
        .create_ftp()?;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome
            .stderr
            .contains("could not help: no answer within 5 seconds.")
    );
    Ok(())
}

#[test]
fn a_user_who_may_not_create_virtual_hosts_is_told_so() -> Result<()> {
    let node = RabbitNode::shared()?;
    node.create_user("tool-plain", "secret-word")?;
    let outcome = Tool::of(node, "no-such-vhost")?
        .set("RABBITMQ_USER_NAME", "tool-plain")
        .set("RABBITMQ_USER_PASSWORD", "secret-word")
        .create_ftp()?;
    node.delete_user("tool-plain")?;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains(
        "could not help: user 'tool-plain' may not use it \
         (rabbitmqctl set_user_tags tool-plain administrator)."
    ));
    assert!(!outcome.stderr.contains("secret-word"));
    Ok(())
}

#[test]
fn a_user_without_rights_in_the_virtual_host_is_told_so() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    node.create_user("tool-reader", "secret-word")?;
    let tool = Tool::of(node, vhost.name())?
        .set("RABBITMQ_USER_NAME", "tool-reader")
        .set("RABBITMQ_USER_PASSWORD", "secret-word");
    let outside = tool.create_ftp()?;
    vhost.permit("tool-reader", "^$", "", ".*")?;
    let inside = tool.create_ftp()?;
    node.delete_user("tool-reader")?;

    assert_eq!(outside.code, Some(1));
    assert!(outside.stderr.starts_with("Can't connect to virtuahost!\n"));
    assert!(outside.stderr.contains(&format!(
        "does not let user 'tool-reader' into virtual host '{}'",
        vhost.name()
    )));
    assert_eq!((inside.code, inside.stdout.as_str()), (Some(1), ""));
    assert!(inside.stderr.contains(&format!(
        "Can't create exchange 'ftp': user 'tool-reader' lacks the right in virtual host '{0}'. \
         Run on the server: rabbitmqctl set_permissions -p {0} tool-reader '.*' '.*' '.*'\n",
        vhost.name()
    )));
    Ok(())
}

#[test]
fn an_administrator_without_rights_in_the_virtual_host_gets_them() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    node.create_user("tool-admin", "secret-word")?;
    node.ctl(&["set_user_tags", "tool-admin", "administrator"])?;
    let outcome = Tool::of(node, vhost.name())?
        .set("RABBITMQ_USER_NAME", "tool-admin")
        .set("RABBITMQ_USER_PASSWORD", "secret-word")
        .create_ftp()?;
    node.delete_user("tool-admin")?;
    let opened = format!(
        "Opened virtual host '{}', with all rights in it for user 'tool-admin' ",
        vhost.name()
    );
    assert!(outcome.stderr.starts_with(&opened), "{}", outcome.stderr);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), FTP));
    Ok(())
}

#[test]
fn create_works_over_tls() -> Result<()> {
    let files = TlsFiles::new()?;
    let node = RabbitNode::start_with_tls(&files)?;
    let vhost = node.vhost("tool")?;
    let client = files.client();
    let port = node.amqps_port().context("the node's port for TLS")?;
    let tool = Tool::of(&node, vhost.name())?
        .set("RABBITMQ_SCHEME", "amqps")
        .set("RABBITMQ_HOST", "localhost")
        .set("RABBITMQ_PORT", port)
        .set("RABBITMQ_TLS_CERT_FILE", client.certificate.display())
        .set("RABBITMQ_TLS_KEY_FILE", client.key.display());
    let untrusted = tool.create_ftp()?;
    assert_eq!((untrusted.code, untrusted.stdout.as_str()), (Some(1), ""));
    assert!(untrusted.stderr.starts_with("Can't connect to RabbitMQ!\n"));

    let outcome = tool
        .set("RABBITMQ_TLS_CA_FILE", files.ca().display())
        .create_ftp()?;
    assert_eq!(outcome.stderr, "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), FTP));
    Ok(())
}

#[test]
fn a_wrong_password_is_told_with_address_and_user() -> Result<()> {
    let node = RabbitNode::shared()?;
    let outcome = Tool::of(node, "/")?
        .set("RABBITMQ_USER_PASSWORD", "secret-word")
        .create_ftp()?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "Can't connect to RabbitMQ!");
    assert!(lines[1].starts_with(&format!("127.0.0.1:{} as user 'guest': ", node.amqp_port())));
    assert!(lines[1].contains("wrong name or password"));
    assert!(!outcome.stderr.contains("secret-word"));
    Ok(())
}

#[test]
fn an_unreachable_server_is_told_at_once() -> Result<()> {
    let closed = ClosedPort::new()?;
    let port = closed.port();
    let outcome = Tool::new()?.set("RABBITMQ_PORT", port).create_ftp()?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "Can't connect to RabbitMQ!");
    assert!(lines[1].starts_with(&format!("127.0.0.1:{port} as user 'guest': ")));
    assert!(lines[1].contains("Connection refused"));
    Ok(())
}

#[test]
fn a_server_that_says_nothing_is_given_up() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let outcome = Tool::new()?
        .set("RABBITMQ_PORT", silent.local_addr()?.port())
        .set("RABBITMQ_CONNECT_TIMEOUT", "0.5")
        .create_ftp()?;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("Can't connect to RabbitMQ!\n"));
    assert!(outcome.stderr.contains("did not answer within 0.5 s"));
    Ok(())
}

#[tokio::test]
async fn what_exists_in_another_make_is_explained() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let tool = Tool::of(node, vhost.name())?;
    let (_connection, channel) = vhost.connect().await?;
    let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
    channel
        .queue_declare("plone".into(), options, none.clone())
        .await?;

    let outcome = tool.create_ftp()?;
    assert_eq!(outcome.code, Some(1));
    let done = FTP.split("  Created durable queue 'plone'").next();
    assert_eq!(Some(outcome.stdout.as_str()), done);
    let expected = format!(
        "Can't create queue 'plone' in virtual host '{}'.\n\
         It exists already, but was made in another way. Either delete it",
        vhost.name()
    );
    assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("RABBITMQ_FTP_..."));
    assert!(
        outcome
            .stderr
            .contains("RabbitMQ says: PRECONDITION_FAILED")
    );

    let other = node.vhost("tool")?;
    let (_connection, channel) = other.connect().await?;
    let options = ExchangeDeclareOptions::default();
    channel
        .exchange_declare("ftp".into(), ExchangeKind::Fanout, options, none)
        .await?;
    let outcome = Tool::of(node, other.name())?.create_ftp()?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(
        outcome
            .stderr
            .starts_with("Can't create exchange 'ftp' in virtual host")
    );
    Ok(())
}

#[test]
fn a_closed_standard_output_leaves_no_half_of_a_schema() -> Result<()> {
    let node = RabbitNode::shared()?;
    let vhost = node.vhost("tool")?;
    let mut child = Tool::of(node, vhost.name())?
        .command(&["--host", "ftp", "--create"])?
        .stdout(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    assert_eq!(child.wait()?.code(), Some(0));
    assert_eq!(schema(&vhost)?, FTP_SCHEMA);
    Ok(())
}

#[test]
fn list_prints_one_name_a_line() -> Result<()> {
    let tool = Tool::new()?;
    for args in [&["--list"][..], &["-l"], &["--list", "--create"]] {
        let outcome = tool.run(args)?;
        assert_eq!(outcome.stdout, NAMES.join("\n") + "\n");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    }
    let outcome = tool
        .set("RABBITMQ_GREETER_VIRTUALHOST", "hello")
        .run(&["--list"])?;
    assert_eq!(outcome.stdout, NAMES.join("\n") + "\ngreeter\n");
    Ok(())
}

#[test]
fn usage_errors() -> Result<()> {
    let tool = Tool::new()?;
    let outcome = tool.run(&["--create"])?;
    assert_eq!(outcome.stderr, "--host is required parameter to --create\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));

    // The first can be no name, the second is a misspelt one.
    for host in ["my-thing", "calibra"] {
        let outcome = tool.run(&["--host", host, "--create"])?;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
        assert!(outcome.stderr.starts_with(&format!(
            "error: argument -s/--host: invalid choice: '{host}' (choose from 'aleph', 'calibre', "
        )));
        assert!(outcome.stderr.contains("'aleph_link_export', 'all')"));
        assert_eq!(
            outcome.stderr.contains("Did you mean 'calibre'? For a new submodule 'calibra', set RABBITMQ_CALIBRA_VIRTUALHOST"),
            host == "calibra",
            "{}",
            outcome.stderr
        );
    }

    assert_eq!(tool.run(&["--nonsense"])?.code, Some(2));
    Ok(())
}

#[test]
fn without_options_nothing_happens() -> Result<()> {
    for args in [&[][..], &["--host", "ftp"], &["--host", "downloader"]] {
        let outcome = Tool::new()?.run(args)?;
        assert_eq!(outcome.code, Some(0));
        assert_eq!(outcome.stdout + &outcome.stderr, "");
    }
    Ok(())
}

#[test]
fn help_teaches() -> Result<()> {
    let outcome = Tool::new()?.run(&["--help"])?;
    assert_eq!(outcome.code, Some(0));
    for word in [
        "--host ftp --create",
        "Exit codes:",
        "amqp.json",
        "--settings <FILE>",
    ] {
        assert!(outcome.stdout.contains(word), "{word}");
    }
    Ok(())
}

#[test]
fn settings_come_from_home_or_from_the_file_named() -> Result<()> {
    let tool = Tool::new()?;
    let directory = tool.home.path().join("edeposit");
    fs::create_dir(&directory)?;
    let (home, named) = (directory.join("amqp.json"), directory.join("other.json"));
    fs::write(
        &home,
        r#"{"RABBITMQ_HOTS": "x", "RABBITMQ_HOME_THING_VIRTUALHOST": "x"}"#,
    )?;
    fs::write(&named, "{\n  oops\n}")?;

    let outcome = tool.run(&["--list"])?;
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.ends_with("\nhome_thing\n"));
    assert_eq!(
        outcome.stderr,
        format!(
            "warning: RABBITMQ_HOTS in {} is ignored: unknown name, did you mean RABBITMQ_HOST?\n",
            home.display()
        )
    );

    let named = named.display().to_string();
    let outcome = tool.run(&["--list", "--settings", &named])?;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        outcome.stderr,
        format!("{named}, line 2, column 3: no valid JSON: key must be a string\n")
    );

    let outcome = tool.run(&["--list", "--settings", "/nonexistent.json"])?;
    assert_eq!(
        outcome.stderr,
        "settings file /nonexistent.json does not exist\n"
    );
    assert_eq!(outcome.code, Some(1));
    Ok(())
}
