//! Whether there is something to scan with, and to update with.

use std::time::Duration;

use edeposit_amqpdaemon::Finding;
use futures::future::join_all;

use crate::clamd::Clamd;
use crate::process::run;
use crate::{Address, AntivirusError, Settings};

/// How long a program may take to say what version it is.
const PROGRAM: Duration = Duration::from_secs(10);

/// A clamd that is down is waited for by each scan; programs are started anew for each.
pub(crate) async fn look_around(settings: Settings) -> Vec<Finding> {
    let scanner = async {
        match settings.use_clamd {
            true => clamds(&settings.clamd).await,
            false => vec![clamscan(&settings.clamscan).await],
        }
    };
    let (mut findings, freshclam) = futures::join!(scanner, freshclam(&settings.freshclam));
    findings.push(freshclam);
    findings
}

async fn clamds(addresses: &[Address]) -> Vec<Finding> {
    let versions = join_all(addresses.iter().map(Clamd::version)).await;
    let any = versions.iter().any(Result::is_ok);
    let finding = |(address, version): (&Address, _)| match version {
        Ok(version) => Finding::ok(format!("clamd at {address} answers: {version}")),
        Err(error) if any => {
            Finding::warning(format!("clamd at {address} does not answer: {error}"))
        }
        Err(error) => {
            Finding::failed_for_now(format!("clamd at {address} does not answer: {error}"))
                .next("start clamd, or correct CLAMD_ADDRESS or CONF_PATH")
        }
    };
    addresses.iter().zip(versions).map(finding).collect()
}

async fn clamscan(program: &str) -> Finding {
    match version(program).await {
        Ok(version) => Finding::ok(version),
        Err(problem) => {
            Finding::failed_for_now(problem).next("install ClamAV, or correct CLAMSCAN")
        }
    }
}

/// Without it, scanning goes on with the signatures that there are.
async fn freshclam(program: &str) -> Finding {
    match version(program).await {
        Ok(version) => Finding::ok(version),
        Err(problem) => Finding::warning(format!("the database cannot be updated: {problem}"))
            .next("install freshclam, or correct FRESHCLAM"),
    }
}

async fn version(program: &str) -> Result<String, String> {
    let why = match run(program, &["--version"], &[], PROGRAM).await {
        Ok(ended) if ended.status == Some(0) => {
            return Ok(format!("{program} works: {}", ended.stdout.trim()));
        }
        Ok(ended) => match ended.status {
            Some(status) => format!("it ends with {status}: {}", ended.stderr.trim()),
            None => format!("it says nothing within {} s", PROGRAM.as_secs()),
        },
        Err(AntivirusError::CommandNotFound(_)) => "it is not installed".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("{program} cannot be run: {why}"))
}
