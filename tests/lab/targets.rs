//! The lab's inventory, as `lab targets` prints it: as much of `lab-targets/2` as a configuration needs. The
//! lab only ever adds fields, so unknown ones are passed over.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The schema understood.
const SCHEMA: &str = "lab-targets/2";

/// The whole inventory.
#[derive(Clone, Debug, Deserialize)]
pub struct Targets {
    /// Its schema.
    schema: String,
    /// Name of the topology.
    pub name: String,
    /// The centre's addresses.
    pub collectors: Collectors,
    /// What all communes share.
    pub services: Vec<Service>,
    /// Where each carrier meets the centre.
    pub handoffs: Vec<HandOff>,
    /// What goes dark together.
    pub power_domains: Vec<PowerDomain>,
    /// Communes by feeder.
    pub feeders: BTreeMap<String, Vec<String>>,
    /// Every machine.
    pub nodes: BTreeMap<String, Node>,
    /// Communes by name.
    pub communes: BTreeMap<String, Commune>,
}

/// The centre's addresses: strict ones are reached over that carrier or not at all.
#[derive(Clone, Debug, Deserialize)]
pub struct Collectors {
    /// By carrier; empty where gateways have no strict routes.
    pub strict: BTreeMap<String, IpAddr>,
    /// Follows a failover.
    pub follow: IpAddr,
}

/// A service of the province.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// Id.
    pub id: String,
    /// `http` or `dns`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Address.
    pub ip: IpAddr,
    /// Who answers for it.
    pub owner: String,
}

/// Where a carrier meets the centre.
#[derive(Clone, Debug, Deserialize)]
pub struct HandOff {
    /// Carrier.
    pub carrier: String,
    /// The lab's link.
    pub link: String,
    /// Our port.
    pub core_if: String,
    /// The carrier's port.
    pub carrier_ip: IpAddr,
}

/// What goes dark together.
#[derive(Clone, Debug, Deserialize)]
pub struct PowerDomain {
    /// `power:c04.box`.
    pub id: String,
    /// Lives on when the mains fail.
    pub ups: bool,
}

/// A machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    /// `core`, `carrier`, `district`, `gateway`, `box` or `device`.
    pub kind: String,
    /// Address.
    pub ip: IpAddr,
    /// As whom it is asked by SNMP, if it answers.
    #[serde(default)]
    pub snmp: Option<Snmp>,
}

/// As whom a machine is asked by SNMP, version 2c.
#[derive(Clone, Debug, Deserialize)]
pub struct Snmp {
    /// Its community.
    pub community: String,
}

/// A commune: one site.
#[derive(Clone, Debug, Deserialize)]
pub struct Commune {
    /// Number.
    pub i: u32,
    /// `gateway`, `box-behind` or `ping-only`.
    pub observe: String,
    /// Where its agent runs, if it has one.
    pub agent_node: Option<String>,
    /// The gateway's address in the LAN.
    pub lan_gw: IpAddr,
    /// Its lines, the primary first.
    pub lines: Vec<Line>,
    /// `answered` or `filtered`, from the WAN.
    pub icmp: String,
    /// Devices by short name.
    pub devices: BTreeMap<String, Device>,
    /// Service hours.
    pub hours: Hours,
    /// `yes`, `no` or `learn`.
    pub off_outside_hours: String,
    /// What feeds it.
    pub feeder: Option<String>,
}

/// A line.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// The lab's link.
    pub link: String,
    /// Carrier.
    pub carrier: String,
    /// `primary` or `backup`.
    pub role: String,
    /// Circuit id.
    pub circuit: String,
    /// Contracted Mb/s.
    pub contract_mbit: f64,
    /// In words.
    pub medium: String,
    /// Paid by volume.
    pub metered: bool,
    /// MB a month.
    pub budget_mb: Option<f64>,
    /// The gateway's port.
    pub gw_if: String,
    /// The gateway's address on it.
    pub gw_ip: IpAddr,
    /// Aggregation point, or the carrier itself, or nothing that shows.
    pub pop: Option<String>,
    /// `collector-address` or `source-address`.
    pub pinned_by: String,
}

/// A device on a commune's LAN.
#[derive(Clone, Debug, Deserialize)]
pub struct Device {
    /// `snmpd`, `snmp`, `rtsp` or `portal`.
    pub kind: String,
    /// Address.
    pub ip: IpAddr,
}

/// Service hours, Asia/Ho_Chi_Minh.
#[derive(Clone, Debug, Deserialize)]
pub struct Hours {
    /// Days of the week.
    pub days: String,
    /// `07:00-17:00`.
    pub spans: Vec<String>,
}

impl Targets {
    /// Reads an inventory.
    ///
    /// # Errors
    /// When it is not one, or of another schema.
    pub fn read(text: &str) -> anyhow::Result<Targets> {
        let targets: Targets = serde_json::from_str(text)?;
        anyhow::ensure!(targets.schema == SCHEMA, "the lab speaks `{}`, not `{SCHEMA}`", targets.schema);
        Ok(targets)
    }

    /// The communes with an agent, with the node it runs on.
    pub fn agents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.communes
            .iter()
            .filter_map(|(name, commune)| Some((name.as_str(), commune.agent_node.as_deref()?)))
    }
}
