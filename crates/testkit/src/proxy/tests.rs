//! The proxy before a server that sends everything back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::*;
use crate::{ClosedPort, PATIENCE, poll_until};

/// How long to look for what must not come.
const MOMENT: Duration = Duration::from_millis(200);

fn echo() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        while let Ok((mut from, _)) = listener.accept() {
            thread::spawn(move || {
                let mut to = from.try_clone()?;
                std::io::copy(&mut from, &mut to)?;
                to.shutdown(std::net::Shutdown::Write)
            });
        }
    });
    Ok(port)
}

fn connect(proxy: &FaultProxy) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask(stream: &mut TcpStream, text: &[u8]) -> Result<Vec<u8>> {
    stream.write_all(text)?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn says_nothing(stream: &mut TcpStream) -> Result<bool> {
    stream.set_read_timeout(Some(MOMENT))?;
    let silent = matches!(stream.read(&mut [0; 64]), Err(e) if e.kind() == ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(silent)
}

#[test]
fn bytes_pass_and_are_counted() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    let mut stream = connect(&proxy)?;
    assert_eq!(ask(&mut stream, b"ahoj")?, b"ahoj");
    assert_eq!((proxy.made(), proxy.open().len()), (1, 1));
    poll_until("all are counted", PATIENCE, || {
        Ok(((proxy.bytes(Way::Up), proxy.bytes(Way::Both)) == (4, 8)).then_some(()))
    })?;
    drop(stream);
    poll_until("it is closed", PATIENCE, || {
        Ok(proxy.open().is_empty().then_some(()))
    })
}

#[test]
fn cut_by_fin_and_by_reset() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    let mut stream = connect(&proxy)?;
    ask(&mut stream, b"x")?;
    assert_eq!(proxy.cut(End::Fin), 1);
    assert_eq!(stream.read(&mut [0; 8])?, 0);
    let mut stream = connect(&proxy)?;
    ask(&mut stream, b"x")?;
    assert_eq!(proxy.cut(End::Reset), 1);
    let error = stream.read(&mut [0; 8]).map_err(|e| e.kind());
    assert_eq!(error, Err(ErrorKind::ConnectionReset));
    assert_eq!(proxy.cut(End::Fin), 0);
    Ok(())
}

#[test]
fn what_is_held_comes_when_healed_and_what_is_swallowed_does_not() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    for way in [Way::Up, Way::Down, Way::Both] {
        let mut stream = connect(&proxy)?;
        ask(&mut stream, b"x")?;
        proxy.blackhole(way, Hole::Hold);
        stream.write_all(b"held")?;
        assert!(says_nothing(&mut stream)?, "{way:?}");
        proxy.heal();
        assert_eq!(ask(&mut stream, b"")?, b"");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"held");
        proxy.blackhole(way, Hole::Swallow);
        stream.write_all(b"gone")?;
        assert!(says_nothing(&mut stream)?, "{way:?}");
        proxy.heal();
        assert_eq!(ask(&mut stream, b"new")?, b"new");
    }
    Ok(())
}

#[test]
fn one_connection_is_spoiled_and_the_other_is_not() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    let mut streams = [connect(&proxy)?, connect(&proxy)?];
    for stream in &mut streams {
        ask(stream, b"x")?;
    }
    let open = proxy.open();
    assert_eq!(
        open.iter()
            .map(ProxiedConnection::number)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    open[1].blackhole(Way::Down, Hole::Hold);
    assert_eq!(ask(&mut streams[0], b"y")?, b"y");
    streams[1].write_all(b"y")?;
    assert!(says_nothing(&mut streams[1])?);
    assert!(open[1].cut(End::Fin) && !open[1].cut(End::Fin));
    assert_eq!(ask(&mut streams[0], b"z")?, b"z");
    Ok(())
}

#[test]
fn exactly_so_many_bytes_pass() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    for bytes in [0, 1, 7, 4096] {
        proxy.cut_after(Way::Down, bytes, End::Fin);
        let mut stream = connect(&proxy)?;
        let _ = stream.write_all(&[b'x'; 10_000]);
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        assert_eq!(came.len() as u64, bytes);
    }
    proxy.heal();
    assert_eq!(ask(&mut connect(&proxy)?, b"x")?, b"x");
    Ok(())
}

#[test]
fn half_closed() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    let mut stream = connect(&proxy)?;
    ask(&mut stream, b"x")?;
    proxy.half_close(Way::Down);
    assert_eq!(stream.read(&mut [0; 8])?, 0);
    let before = proxy.bytes(Way::Up);
    stream.write_all(b"still heard")?;
    poll_until("the other direction goes on", PATIENCE, || {
        Ok((proxy.bytes(Way::Up) == before + 11).then_some(()))
    })
}

#[test]
fn refused_and_accepted_again() -> Result<()> {
    let proxy = FaultProxy::to(echo()?)?;
    let mut stream = connect(&proxy)?;
    ask(&mut stream, b"x")?;
    proxy.refuse(Refusal::Closed)?;
    assert!(connect(&proxy).is_err());
    assert_eq!(ask(&mut stream, b"open ones go on")?, b"open ones go on");
    proxy.refuse(Refusal::Reset)?;
    assert!(
        connect(&proxy)
            .and_then(|mut stream| ask(&mut stream, b"x"))
            .is_err()
    );
    proxy.accept()?;
    assert_eq!(ask(&mut connect(&proxy)?, b"x")?, b"x");
    Ok(())
}

#[test]
fn delayed_and_throttled() -> Result<()> {
    const HOURS: Duration = Duration::from_secs(10_000);
    let proxy = FaultProxy::to(echo()?)?;
    for way in [Way::Up, Way::Down] {
        proxy.delay(way, MOMENT);
        ask(&mut connect(&proxy)?, b"comes")?;
        proxy.delay(way, HOURS);
        let mut stream = connect(&proxy)?;
        stream.write_all(b"does not come yet")?;
        assert!(says_nothing(&mut stream)?, "{way:?}");
        proxy.heal();
        proxy.throttle(way, Some(1_000_000));
        ask(&mut connect(&proxy)?, &[b'x'; 10_000])?;
        // One byte a second.
        proxy.throttle(way, Some(1));
        let mut stream = connect(&proxy)?;
        let before = proxy.bytes(way);
        stream.write_all(&[b'x'; 10_000])?;
        poll_until("the first bytes pass", PATIENCE, || {
            Ok((proxy.bytes(way) > before + 1).then_some(()))
        })?;
        assert!(proxy.bytes(way) < before + 10_000, "{way:?}");
        proxy.heal();
    }
    Ok(())
}

#[test]
fn another_upstream() -> Result<()> {
    let nobody = ClosedPort::new()?;
    let proxy = FaultProxy::to(nobody.port())?;
    assert!(
        connect(&proxy)
            .and_then(|mut stream| ask(&mut stream, b"x"))
            .is_err()
    );
    proxy.set_upstream(echo()?);
    assert_eq!(ask(&mut connect(&proxy)?, b"x")?, b"x");
    Ok(())
}
