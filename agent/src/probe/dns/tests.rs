//! A name server in a few lines, which keeps the protocol, and others that do not.

use super::*;
use haidang_daemon::clock::Clock;
use hickory_proto::rr::{RData, Record, rdata};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_millis(400);

mod expected;

async fn ask(target: &str) -> Answer {
    ask_for(&target.parse().unwrap()).await
}

async fn ask_for(question: &Question) -> Answer {
    let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
    let budget = Budget::start(&tools.clock, PATIENCE);
    Probe::new(&tools).ask(question, budget).await
}

fn told(answer: &Answer, metric: Metric) -> Option<f64> {
    answer.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
}

/// What a server that knows `portal.test` says.
fn reply(question: &Message) -> Message {
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.queries.clone_from(&question.queries);
    let asked = &question.queries[0];
    let (known, broken) =
        (Name::from_ascii("portal.test.").unwrap(), Name::from_ascii("broken.test.").unwrap());
    if asked.name == broken {
        reply.metadata.response_code = ResponseCode::ServFail;
    } else if asked.name != known {
        reply.metadata.response_code = ResponseCode::NXDomain;
    } else if asked.query_type == RecordType::A {
        let data = RData::A(rdata::A::new(192, 0, 2, 80));
        reply.add_answer(Record::from_rdata(known, 60, data));
    }
    reply
}

/// Answers each datagram with those that `answers` makes of it.
async fn serve(answers: fn(&Message) -> Vec<Vec<u8>>) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut buffer = [0; 1024];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in answers(&Message::from_vec(&buffer[..length]).unwrap()) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    (address, server)
}

#[tokio::test]
async fn a_name_that_is_known_is_a_success_with_its_answers_counted() {
    let (address, server) = serve(|question| vec![reply(question).to_vec().unwrap()]).await;
    let answer = ask(&format!("{address}/Portal.Test")).await;
    assert!(answer.result.is_ok_and(|took| took > Duration::ZERO), "{answer:?}");
    assert_eq!((told(&answer, Metric::DnsRcode), told(&answer, Metric::DnsAnswers)), (Some(0.0), Some(1.0)));
    server.abort();
}

#[tokio::test]
async fn a_server_that_fails_and_a_name_that_is_gone_are_told_apart() {
    let (address, server) = serve(|question| vec![reply(question).to_vec().unwrap()]).await;
    for (asked, failure, code) in [
        ("/gone.test", Failure::Status, 3.0),
        ("/broken.test", Failure::Status, 2.0),
        ("/portal.test?type=AAAA", Failure::Body, 0.0),
    ] {
        let answer = ask(&format!("{address}{asked}")).await;
        assert_eq!((answer.result, told(&answer, Metric::DnsRcode)), (Err(failure), Some(code)), "{asked}");
    }
    let alone = ask(&address.to_string()).await;
    assert!(alone.result.is_ok(), "a server that holds no root answers for itself");
    server.abort();
}

#[tokio::test]
async fn what_is_no_answer_to_the_question_is_passed_over() {
    fn strays(question: &Message) -> Vec<Vec<u8>> {
        let good = reply(question);
        let mut other_id = good.clone();
        other_id.metadata.id = !good.metadata.id;
        let mut other_question = good.clone();
        other_question.queries[0].name = Name::from_ascii("bank.test.").unwrap();
        let mut no_question = good.clone();
        no_question.queries.clear();
        let mut cut = good.to_vec().unwrap();
        cut.truncate(20);
        let wrong = [other_id, other_question, no_question, question.clone()];
        let wrong = wrong.iter().map(|message| message.to_vec().unwrap());
        wrong.chain([cut, b"garbage".to_vec(), vec![0xff; 600], Vec::new()]).collect()
    }
    let (address, server) = serve(strays).await;
    assert_eq!(ask(&format!("{address}/portal.test")).await.result, Err(Failure::Protocol));
    server.abort();
    let (address, server) = serve(|question| {
        let mut all = strays(question);
        all.push(reply(question).to_vec().unwrap());
        all
    })
    .await;
    assert!(ask(&format!("{address}/portal.test")).await.result.is_ok());
    server.abort();
    let (address, server) = serve(|_| vec![b"garbage".to_vec(); MAX_STRAY as usize]).await;
    assert_eq!(ask(&format!("{address}/portal.test")).await.result, Err(Failure::Protocol));
    server.abort();
}

/// An answer that says there is more.
fn cut(question: &Message) -> Vec<Vec<u8>> {
    let mut cut = Message::response(question.metadata.id, OpCode::Query);
    cut.queries.clone_from(&question.queries);
    cut.metadata.truncation = true;
    vec![cut.to_vec().unwrap()]
}

/// As [`serve`], with a listener of the same port, which another program may have: then of another.
async fn of_both_kinds(
    answers: fn(&Message) -> Vec<Vec<u8>>,
) -> (SocketAddr, tokio::task::JoinHandle<()>, TcpListener) {
    loop {
        let (address, server) = serve(answers).await;
        if let Ok(listener) = TcpListener::bind(address).await {
            return (address, server, listener);
        }
        server.abort();
    }
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    for (end, expected) in [(true, Ok(())), (false, Err(Failure::Reset))] {
        let (address, udp, listener) = of_both_kinds(cut).await;
        let tcp = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let answer = reply(&Message::from_vec(&question).unwrap()).to_vec().unwrap();
            stream.write_u16(answer.len() as u16).await.unwrap();
            let sent = if end { answer.len() } else { 5 };
            stream.write_all(&answer[..sent]).await.unwrap();
        });
        let answer = ask(&format!("{address}/portal.test")).await;
        assert_eq!(answer.result.map(drop), expected);
        udp.abort();
        tcp.await.unwrap();
    }
}

#[tokio::test]
async fn silence_and_a_closed_port_have_their_names() {
    let (address, server) = serve(|_| Vec::new()).await;
    assert_eq!(ask(&address.to_string()).await.result, Err(Failure::Timeout));
    server.abort();
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(&closed.to_string()).await.result, Err(Failure::Refused));
}
