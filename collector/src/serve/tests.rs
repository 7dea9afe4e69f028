use super::*;
use haidang_daemon::stop::{Stopper, pair};
use haidang_journal::memory::Memory;
use haidang_probe::key;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Far longer than it takes: a test that waits for ever tells nothing.
const PATIENCE: Duration = Duration::from_secs(60);

const YAML: &str = r#"
province: {code: "82", name: Đồng Tháp}
areas: [{id: my-tho, name: Mỹ Tho}]
communes: [{code: "28249", name: Đạo Thạnh, kind: phường, area: my-tho}]
sites:
  - {id: trung-tam, name: Trung tâm, kind: core, observe: gateway}
collector:
  console: {listen: "127.0.0.1:0"}
  agents: {listen: "127.0.0.1:0", plain: true}
  stamp: {listen: "127.0.0.1:0"}
"#;

/// A collector on sockets of its own.
struct Served {
    dir: tempfile::TempDir,
    running: Option<(JoinHandle<Result<(), ServeError>>, Stopper)>,
}

impl Served {
    fn new() -> Served {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("config")).unwrap();
        let served = Served { dir, running: None };
        served.write("all.yml", YAML);
        served
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join("config").join(name), text).unwrap();
    }

    fn place(&self) -> Place {
        let at = |name| self.dir.path().join(name);
        Place { config: at("config"), data: at("data"), first_sign_in: Some(at("console.json")) }
    }

    fn start(&mut self) {
        let (stopper, stop) = pair();
        let place = self.place();
        let run = async move { run(&place, Clock::machine().unwrap(), stop).await };
        self.running = Some((tokio::spawn(run), stopper));
    }

    async fn stop(&mut self) -> Result<(), ServeError> {
        let (run, stopper) = self.running.take().unwrap();
        stopper.stop();
        run.await.unwrap()
    }

    /// Body of `/readyz`, as soon as somebody answers.
    async fn ready(&self) -> String {
        loop {
            if let Ok(answer) = self.ask().await {
                return answer;
            }
            assert!(self.running.as_ref().is_some_and(|(run, _)| !run.is_finished()), "it does not run");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn ask(&self) -> std::io::Result<String> {
        let first: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.dir.path().join("console.json"))?)?;
        let address = first["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).ok_or(std::io::ErrorKind::Other.into())
    }

    async fn until_ready_says(&self, says: impl Fn(&str) -> bool) {
        let heard = async {
            while !says(&self.ready().await) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap();
    }
}

#[tokio::test]
async fn a_bad_edit_keeps_the_last_good_configuration_and_says_so() {
    let mut served = Served::new();
    served.start();
    assert_eq!(served.ready().await, "ready\n");
    served.write("more.yml", "sitez: []\n");
    served.until_ready_says(|ready| ready.contains("not taken over")).await;
    served.write("more.yml", "areas: []\n");
    served.until_ready_says(|ready| ready == "ready\n").await;
    served.stop().await.unwrap();
}

#[tokio::test]
async fn it_stops_in_order_and_starts_again_on_the_same_history() {
    let mut served = Served::new();
    served.start();
    served.ready().await;
    served.stop().await.unwrap();
    served.start();
    served.ready().await;
    served.stop().await.unwrap();
    let evidence = served.place().data.join(EVIDENCE);
    let replayed = crate::replay::replay(&evidence, None, false, &mut Vec::new()).unwrap();
    assert_eq!(replayed.checkpoints, 2, "one a stop");
}

#[tokio::test]
async fn a_wrong_configuration_does_not_start_and_tells_every_fault() {
    let mut served = Served::new();
    served.write("more.yml", "sitez: []\nareaz: []\n");
    served.start();
    let error = served.stop().await.unwrap_err().to_string();
    assert_eq!(error.lines().filter(|line| line.contains("more.yml:")).count(), 2, "{error}");
}

/// A collector that stands still until it is told to read again, and the token of its one agent.
async fn still(served: &Served) -> (Collector, String, Stopper) {
    let place = served.place();
    let record = record(&place.config).unwrap().topology;
    let secret = Registry::edit(&place.data, |agents| agents.add(&record, "trung-tam", false)).unwrap();
    let (stopper, stop) = pair();
    let clock = Clock::machine().unwrap();
    let started = Collector::start(&place, read(&place).unwrap(), Digest::default(), clock, &stop).await;
    (started.unwrap(), key::bearer(&key::unhex(&secret.hex()).unwrap()), stopper)
}

#[tokio::test]
async fn a_revoked_agent_is_out_while_the_configuration_is_wrong() {
    let served = Served::new();
    let (collector, token, stopper) = still(&served).await;
    assert!(collector.roster.load().identity(&token).is_some());
    served.write("more.yml", "sitez: []\n");
    Registry::edit(&served.place().data, |agents| Ok(agents.revoke("trung-tam"))).unwrap();
    assert_eq!(collector.reread(&served.place(), Next::Change).await, Next::Change);
    assert_eq!(collector.roster.load().identity(&token), None);
    assert!(collector.fold.read(|watch| watch.topology().sites["trung-tam"].ssid.is_none()), "nor awaited");
    assert!(collector.reading.failed(), "the configuration is still wrong");
    stopper.stop();
    collector.end().await;
}

#[tokio::test]
async fn an_edit_the_journal_refused_is_taken_once_it_has_room() {
    let served = Served::new();
    let (mut collector, _, stopper) = still(&served).await;
    let disk = Memory::new();
    let journal = fold::Journal { dir: PathBuf::new(), max_bytes: 1 << 30 };
    let topology = collector.fold.read(|watch| watch.topology().clone());
    let hooks = fold::Hooks::default();
    let start = fold::Start { journal, at: collector.clock.utc_ms(), topology, resume: None, hooks };
    let (fold, ending) = fold::start_on(disk.clone(), start).unwrap();
    let real = std::mem::replace(&mut collector.fold, fold);
    served.write("more.yml", "areas: [{id: cai-be, name: Cái Bè}]\n");
    disk.limit(Some(disk.contents().values().map(Vec::len).sum()));
    let next = collector.reread(&served.place(), Next::Change).await;
    assert_eq!((next, collector.reading.failed()), (Next::Retry, true));
    disk.limit(None);
    assert_eq!(collector.reread(&served.place(), next).await, Next::Change);
    assert!(collector.fold.read(|watch| watch.topology().areas.contains_key("cai-be")));
    assert!(!collector.reading.failed());
    ending.stop().await;
    collector.fold = real;
    stopper.stop();
    collector.end().await;
}
