//! Creating a virtual host that is missing, or opening one that the user may not enter.

use anyhow::{Result, anyhow};
use edeposit_amqp::{ConnectError, ConnectionParams, Link, quoted};

use crate::broker::{Failure, cannot_connect, permit_command};
use crate::context::Context;
use crate::management::Management;
use crate::output::remark;

/// Connects, after creating the virtual host if need be.
pub async fn connect_or_create(context: &Context, params: &ConnectionParams) -> Result<Link> {
    match edeposit_amqp::connect(params).await {
        Ok(link) => Ok(link),
        Err(error) if Failure::of(&error) != Failure::Connection => {
            create(context, params, &error).await?;
            edeposit_amqp::connect(params)
                .await
                .map_err(|error| cannot_connect(params, &error))
        }
        Err(error) => Err(cannot_connect(params, &error)),
    }
}

/// Creates the virtual host, or fails with the commands that do.
async fn create(context: &Context, params: &ConnectionParams, reason: &ConnectError) -> Result<()> {
    let bases = context.settings.management_urls()?;
    let base = bases.join(", ");
    let (vhost, user) = (&params.virtualhost, &params.connection.user);
    let missing = Failure::of(reason) == Failure::NoVhost;
    let creating = async {
        Management::new(&bases, &params.connection)?
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
    let add = format!("  rabbitmqctl add_vhost {}\n", quoted(vhost));
    let permit = format!("  {}", permit_command(vhost, user));
    if missing { add + &permit } else { permit }
}
