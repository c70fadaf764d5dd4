//! One session of an ordinary FTP client: Python's ftplib, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::PATIENCE;

const SCRIPT: &str = include_str!("session.py");

/// A connection to an FTP server. Every command waits for the server's answer, [`PATIENCE`] at most.
#[derive(Debug)]
pub struct FtpSession {
    client: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl FtpSession {
    /// Connects to a port of this machine. Nobody is logged in yet.
    ///
    /// # Errors
    /// There is no Python, or nobody listens.
    pub fn connect(port: u16) -> Result<Self> {
        let mut client = Command::new("/usr/bin/python3")
            .args(["-c", SCRIPT, &PATIENCE.as_secs().to_string()])
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running Python's ftplib: apt-get install python3")?;
        let input = client.stdin.take().context("no standard input")?;
        let output = client.stdout.take().context("no standard output")?;
        let mut session = Self {
            client,
            input,
            output: BufReader::new(output),
        };
        session.call(json!(["connect", "127.0.0.1", port]))?;
        Ok(session)
    }

    /// Logs in.
    ///
    /// # Errors
    /// The server refuses: the text begins with its code, `530`.
    pub fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.call(json!(["login", user, password])).map(drop)
    }

    /// Uploads a file.
    ///
    /// # Errors
    /// The server refuses.
    pub fn put(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let data = BASE64_STANDARD.encode(data);
        self.call(json!(["put", name, data])).map(drop)
    }

    /// Adds to a file.
    ///
    /// # Errors
    /// The server refuses.
    pub fn append(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let data = BASE64_STANDARD.encode(data);
        self.call(json!(["put", name, data, "APPE"])).map(drop)
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// The server refuses.
    pub fn get(&mut self, name: &str) -> Result<Vec<u8>> {
        let data = self.call(json!(["get", name]))?;
        Ok(BASE64_STANDARD.decode(data.as_str().context("no data")?)?)
    }

    /// The names in the working directory.
    ///
    /// # Errors
    /// The server refuses.
    pub fn list(&mut self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.call(json!(["nlst"]))?)?)
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// The server refuses.
    pub fn delete(&mut self, name: &str) -> Result<()> {
        self.call(json!(["delete", name])).map(drop)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// The server refuses.
    pub fn mkdir(&mut self, name: &str) -> Result<()> {
        self.call(json!(["mkd", name])).map(drop)
    }

    /// Sends any command that transfers no data, such as `CWD sub` or `SITE SYMLINK a b`, and returns the reply.
    ///
    /// # Errors
    /// The server refuses.
    pub fn command(&mut self, command: &str) -> Result<String> {
        let reply = self.call(json!(["sendcmd", command]))?;
        Ok(reply.as_str().unwrap_or_default().to_owned())
    }

    /// Says good-bye.
    ///
    /// # Errors
    /// The server is gone.
    pub fn quit(mut self) -> Result<()> {
        self.call(json!(["quit"])).map(drop)
    }

    fn call(&mut self, line: Value) -> Result<Value> {
        writeln!(self.input, "{line}").context("the FTP client has ended")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer).context("the FTP client has ended")?;
        match answer.get("error") {
            Some(error) => bail!("{}", error.as_str().unwrap_or_default()),
            None => Ok(answer["ok"].clone()),
        }
    }
}

impl Drop for FtpSession {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
