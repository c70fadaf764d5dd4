//! Is there a file, and what does its server say of it?

use indexmap::IndexMap;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, HeaderValue, RANGE,
};
use reqwest::{Method, Response, StatusCode};

use crate::DownloadError;
use crate::web::{Ask, Web, parse};

type Headers = IndexMap<String, String>;

/// The headers of a file, or `None` if the server has none.
pub(crate) async fn headers(
    web: &Web,
    url: Option<&str>,
    follow: bool,
) -> Result<Option<Headers>, DownloadError> {
    let url = parse(url)?;
    let ask = |method, headers: &[(HeaderName, &'static str)]| Ask {
        method,
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect(),
        follow,
        decode: false,
    };
    let head = ask(Method::HEAD, &[(ACCEPT_ENCODING, "gzip, deflate")]);
    let (response, _) = web.ask(url.clone(), &head).await?;
    if !matches!(response.status().as_u16(), 405 | 501) {
        return Ok(found(&response).then(|| collect(&response)));
    }
    // it refuses the question; of the file itself, one byte is as good as all
    let get = ask(
        Method::GET,
        &[(RANGE, "bytes=0-0"), (ACCEPT_ENCODING, "identity")],
    );
    let (response, _) = web.ask(url, &get).await?;
    let whole = whole_length(&response);
    // an empty file has no first byte
    let is_empty =
        response.status() == StatusCode::RANGE_NOT_SATISFIABLE && whole.as_deref() == Some("0");
    if !found(&response) && !is_empty {
        return Ok(None);
    }
    let mut headers = collect(&response);
    if let Some(whole) = whole {
        headers.shift_remove(CONTENT_RANGE.as_str());
        headers.insert(CONTENT_LENGTH.as_str().to_owned(), whole);
    }
    Ok(Some(headers))
}

fn found(response: &Response) -> bool {
    !response.status().is_client_error() && !response.status().is_server_error()
}

/// The length of the whole file in `bytes 0-0/1234`.
fn whole_length(response: &Response) -> Option<String> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (_, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
    whole.parse::<u64>().ok().map(|_| whole.to_owned())
}

fn collect(response: &Response) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|values| values.extend([", ", &value]))
            .or_insert_with(|| value.clone().into_owned());
    }
    headers
}
