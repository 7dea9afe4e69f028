//! TCP connect: how long the handshake takes, then the connection is closed. Nothing is sent.

use super::{Answer, Budget, Tools};
use crate::dial;
use crate::place::Finder;
use haidang_probe::ask::place::Endpoint;
use haidang_probe::ask::tcp::Question;
use haidang_probe::outcome::Failure;
use std::time::Duration;

/// Every run has its own connection.
pub struct Probe {
    finder: Finder,
}

impl Probe {
    /// A probe that finds addresses with the tools' finder.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone() }
    }

    /// The duration is the handshake's alone; a look-up counts against the budget, not the duration.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        self.connect(&question.endpoint, budget).await.into()
    }

    async fn connect(&self, endpoint: &Endpoint, budget: Budget) -> Result<Duration, Failure> {
        let address = budget.spend(Failure::Resolve, self.finder.socket_address(endpoint)).await?;
        let found = budget.spent();
        let connect = async { dial::tcp(address, None).await.map_err(|error| dial::failure(&error)) };
        budget.spend(Failure::Timeout, connect).await?;
        Ok(budget.spent().saturating_sub(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;

    async fn ask(target: &str) -> Answer {
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let budget = Budget::start(&tools.clock, Duration::from_secs(2));
        Probe::new(&tools).ask(&target.parse().unwrap(), budget).await
    }

    #[tokio::test]
    async fn a_listener_answers() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answer = ask(&listener.local_addr().unwrap().to_string()).await;
        assert!(answer.result.is_ok_and(|took| took > Duration::ZERO));
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask(&closed.to_string()).await.result, Err(Failure::Refused));
    }

    #[tokio::test]
    async fn a_full_listener_times_out() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _fills_the_backlog = dial::tcp(address, None).await.unwrap();
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let budget = Budget::start(&tools.clock, Duration::from_millis(100));
        let answer = Probe::new(&tools).ask(&address.to_string().parse().unwrap(), budget).await;
        assert_eq!(answer.result, Err(Failure::Timeout));
    }
}
