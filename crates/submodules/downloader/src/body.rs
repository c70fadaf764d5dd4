//! Receiving a file: never more than the limit, and encoded as it comes, so that it is in memory once.

use std::io::Write;

use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderStringWriter;
use edeposit_amqpdaemon::Exception;
use reqwest::{Response, Url};

use crate::DownloadError;
use crate::error::Limits;
use crate::progress::Reporter;

/// Reads an answer's body. `reporter` tells how far it is.
pub(crate) async fn receive(
    mut response: Response,
    url: &Url,
    limits: Limits,
    max_size: u64,
    mut reporter: Option<Reporter<'_>>,
) -> Result<String, Exception> {
    let too_large = |size| {
        let limit = max_size;
        Exception::from(DownloadError::TooLarge { size, limit })
    };
    let length = response.content_length();
    if let Some(length) = length.filter(|length| *length > max_size) {
        return Err(too_large(length.to_string()));
    }
    let expected = usize::try_from(length.unwrap_or(0)).unwrap_or(0);
    let text = String::with_capacity(expected.div_ceil(3) * 4);
    let mut encoder = EncoderStringWriter::from_consumer(text, &BASE64_STANDARD);
    let mut size = 0_u64;
    loop {
        let part = response.chunk().await;
        let part = part.map_err(|error| DownloadError::of_client(&error, url, limits))?;
        let Some(part) = part else { break };
        let count = part.len() as u64;
        size += count;
        if size > max_size {
            return Err(too_large(format!("more than {max_size}")));
        }
        encoder.write_all(&part)?;
        if let Some(reporter) = &mut reporter {
            reporter.receive(count).await?;
        }
    }
    if let Some(reporter) = reporter {
        reporter.end().await?;
    }
    Ok(encoder.into_inner())
}
