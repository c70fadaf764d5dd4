//! Connecting to a submodule's virtual host, which is created if it is missing and that can be
//! done.
//!
//! Every failure begins with the line that the original prints for it; what follows is new and
//! says why, and what to do.

use anyhow::{Result, anyhow};
use edeposit_pikadaemon::{ConnectError, ConnectionParams, Link};
use edeposit_settings::Settings;

use crate::management::Management;
use crate::remark;

/// Connects, after creating the virtual host if need be.
pub async fn connect(settings: &Settings, params: &ConnectionParams) -> Result<Link> {
    match edeposit_pikadaemon::connect(params).await {
        Ok(link) => Ok(link),
        Err(error) if is_about_the_vhost(&error) => {
            create(settings, params, &error).await?;
            edeposit_pikadaemon::connect(params)
                .await
                .map_err(|error| cannot_connect(params, &error))
        }
        Err(error) => Err(cannot_connect(params, &error)),
    }
}

fn is_about_the_vhost(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::NoVirtualHost { .. } | ConnectError::NoPermission { .. }
    )
}

fn cannot_connect(params: &ConnectionParams, error: &ConnectError) -> anyhow::Error {
    anyhow!(
        "Can't connect to RabbitMQ!\n{} as user '{}': {error}",
        params.address(),
        params.connection.user
    )
}

/// Creates the virtual host, or fails with the commands that do.
async fn create(
    settings: &Settings,
    params: &ConnectionParams,
    reason: &ConnectError,
) -> Result<()> {
    let base = settings.management_url()?;
    let (vhost, user) = (&params.virtualhost, &params.connection.user);
    let missing = matches!(reason, ConnectError::NoVirtualHost { .. });
    let creating = async {
        Management::new(&base, &params.connection)?
            .create_vhost(vhost)
            .await
    };
    match creating.await {
        Ok(()) => {
            let done = if missing { "Created" } else { "Opened" };
            remark(&format!(
                "{done} virtual host '{vhost}', with all rights in it for user '{user}' (by {base})."
            ));
            Ok(())
        }
        Err(error) => Err(anyhow!(
            "Can't connect to virtuahost!\n\
             Make sure, that virtualhost is created.\n\
             RabbitMQ at {} {}; the management API at {base} could not help: {error:#}.\n\
             Run on the server:\n{}",
            params.address(),
            if missing {
                format!("has no virtual host '{vhost}'")
            } else {
                format!("does not let user '{user}' into virtual host '{vhost}'")
            },
            commands(vhost, user, missing),
        )),
    }
}

/// What an operator types on the server to do by hand what could not be done from here.
fn commands(vhost: &str, user: &str, missing: bool) -> String {
    let (vhost, user) = (quoted(vhost), quoted(user));
    let add = format!("  rabbitmqctl add_vhost {vhost}\n");
    let permit = format!("  rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'");
    if missing { add + &permit } else { permit }
}

/// An argument for a shell command.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) && !argument.starts_with('-') {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("ftp"), "ftp");
        assert_eq!(quoted("my thing"), "'my thing'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
