//! Answers of services that are none, end early, or say more than was asked.

use super::http::{Connection, Reply, get};
use super::support::{Agent, await_that};

/// Asks for exactly this answer, on a connection that the service then leaves open.
fn ask(client: &mut Connection, answer: &str) -> std::io::Result<Reply> {
    send(client, "/raw", answer)
}

fn send(client: &mut Connection, path: &str, answer: &str) -> std::io::Result<Reply> {
    let answer = answer.replace("\r\n", "\\r\\n");
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-answer: {answer}\r\n\r\n"))?;
    client.reply("GET")
}

#[test]
fn an_answer_in_any_sound_form_arrives() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    for (answer, text) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc"),
        ("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1  \r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n", "abc"),
        ("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc"),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", ""),
    ] {
        let reply = ask(&mut client, answer).unwrap();
        assert_eq!((reply.status, reply.text()), (200, text), "{answer:?}");
        assert_eq!((reply.version.as_str(), reply.revision()), ("HTTP/1.1", 1), "{answer:?}");
    }
    let reply = send(&mut client, "/raw?end", "HTTP/1.0 200 OK\r\n\r\nto the end").unwrap();
    assert_eq!(reply.text(), "to the end");
    let reply = ask(&mut client, "HTTP/1.1 418 Short and stout\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert_eq!(reply.status, 418);
    assert_eq!(agent.state().revisions[0].counts.bad, 0);
}

#[test]
fn what_a_service_says_unasked_is_the_answer_to_nobodys_question() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    let forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let reply = ask(&mut client, &[answer, forged].concat()).unwrap();
        assert!(["abc", ""].contains(&reply.text()), "{answer:?}");
        assert_eq!(client.get("/").unwrap().text(), "v1", "after {answer:?}");
    }
}

#[test]
fn an_answer_that_is_none_or_breaks_off_is_never_made_whole() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let head = "HTTP/1.1 200 OK\r\n";
    let nones = [
        "ICY 200 OK\r\n\r\n".to_owned(),
        format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        format!("{head}content-length: -1\r\n\r\n"),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-len".to_owned(),
    ];
    for answer in &nones {
        assert_eq!(send(&mut Connection::to(address), "/raw?end", answer).unwrap().status, 502, "{answer:?}");
    }
    let cut = [
        format!("{head}content-length: 4\r\n\r\nabc"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"),
    ];
    for answer in &cut {
        assert!(send(&mut Connection::to(address), "/raw?end", answer).is_err(), "{answer:?}");
    }
    let all = nones.len() + cut.len();
    await_that("each is counted", || agent.state().revisions[0].counts.bad == all as u64);
    assert_eq!(get(address, "/").text(), "v1");
}
