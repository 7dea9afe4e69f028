//! Every metric an agent can report, declared once: a metric cannot exist undeclared.
//!
//! Names follow Prometheus exporters where the meaning is equal, in base units.

use serde::{Deserialize, Serialize};

/// What a series' values mean over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, save at a reset.
    Counter,
}

macro_rules! metrics {
    ($($id:literal $variant:ident $name:literal $kind:ident $help:literal;)*) => {
        /// A declared metric. The number is its identity on the wire and never changes meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Metric { $(#[doc = $help] $variant = $id,)* }

        impl Metric {
            /// All metrics, by number.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant),*];

            /// The metric with this wire number, `None` if a newer agent knows one that we do not.
            pub fn from_id(id: u16) -> Option<Metric> {
                match id { $($id => Some(Metric::$variant),)* _ => None }
            }
            /// Name in exposition, API and queries.
            pub fn name(self) -> &'static str { match self { $(Metric::$variant => $name,)* } }
            /// Counter or gauge.
            pub fn kind(self) -> Kind { match self { $(Metric::$variant => Kind::$kind,)* } }
            /// One line of help.
            pub fn help(self) -> &'static str { match self { $(Metric::$variant => $help,)* } }
        }
    };
}

metrics! {
    1 ProbeSuccess "probe_success" Gauge "1 when the check succeeded, else 0";
    2 ProbeDuration "probe_duration_seconds" Gauge "how long the check took";
    3 HttpStatus "probe_http_status_code" Gauge "status code of the last HTTP answer";
    4 CertExpiry "probe_ssl_earliest_cert_expiry" Gauge "earliest certificate expiry, seconds since 1970";
    5 LossRatio "probe_loss_ratio" Gauge "share of packets lost, 0 to 1";
    6 RttMin "probe_rtt_min_seconds" Gauge "smallest round trip of the check's packets";
    7 RttMax "probe_rtt_max_seconds" Gauge "largest round trip of the check's packets";
    8 HttpDuration "probe_http_duration_seconds" Gauge "how long each phase of the HTTP request took; the part is the phase";
    9 HttpBody "probe_http_uncompressed_body_length" Gauge "octets of the answer's body, as far as it was read";
    10 TlsVerdict "probe_tls_verdict" Gauge "0 good, 1 expired, 2 not yet valid, 3 for another name, 4 issuer unknown, 5 bad, 6 no TLS we speak";
    11 DnsRcode "probe_dns_rcode" Gauge "response code of the DNS answer (RFC 1035): 0 no error, 2 server failure, 3 no such name";
    12 DnsAnswers "probe_dns_answer_rrs" Gauge "records in the DNS answer that are of the type asked for";
    20 IfInOctets "ifHCInOctets" Counter "octets received by the interface (IF-MIB, 64 bit)";
    21 IfOutOctets "ifHCOutOctets" Counter "octets sent by the interface (IF-MIB, 64 bit)";
    22 IfInErrors "ifInErrors" Counter "inbound packets with errors (IF-MIB)";
    23 IfOutErrors "ifOutErrors" Counter "outbound packets that could not be sent (IF-MIB)";
    24 IfInDiscards "ifInDiscards" Counter "inbound packets dropped without error (IF-MIB)";
    25 IfOutDiscards "ifOutDiscards" Counter "outbound packets dropped without error (IF-MIB)";
    26 IfOperStatus "ifOperStatus" Gauge "1 up, 2 down (IF-MIB)";
    40 Uptime "uptime_seconds" Gauge "seconds since the machine booted";
    60 LivenessRtt "liveness_rtt_seconds" Gauge "median round trip of the line's liveness packets";
    61 LivenessLossUp "liveness_loss_up_ratio" Gauge "share of liveness packets lost from site to centre";
    62 LivenessLoss "liveness_loss_ratio" Gauge "share of liveness packets lost there and back, asked by the centre";
    63 LivenessLossDown "liveness_loss_down_ratio" Gauge "share of liveness packets lost from centre to site, as the site heard it";
    70 LineAvailable "line_available" Gauge "1 while the line works, 0 while it does not; nothing while that is not known or not promised";
    71 SiteAvailable "site_available" Gauge "1 while the site has a path, 0 while it has none; nothing while that is not known or not promised";
    72 AgentDelay "agent_delay_seconds" Gauge "age of the oldest outcome of a batch when it came: seconds, but hours while a backlog comes in";
    80 RttMedian "probe_rtt_p50_seconds" Gauge "median round trip of the check's packets";
    81 RttP99 "probe_rtt_p99_seconds" Gauge "99th percentile of the check's round trips, by nearest rank";
    82 RttJitter "probe_rtt_jitter_seconds" Gauge "mean difference between the round trips of packets sent one after the other (IPDV of RFC 3393, both ways)";
    83 PacketsUncounted "probe_packets_uncounted" Gauge "packets of the check that do not count as lost: our own machine could not send them, or may have dropped their replies";
    90 HttpRedirects "probe_http_redirects" Gauge "redirects that were followed";
    91 HttpVersion "probe_http_version" Gauge "version of HTTP the last answer was in";
    92 HttpContentLength "probe_http_content_length" Gauge "octets the answer says its body has";
    94 PortalWords "portal_words" Gauge "words of the page's visible text";
    95 PortalText "portal_text_fingerprint" Gauge "52-bit SimHash of the page's visible text: pages alike differ in few bits";
    96 PortalTitle "portal_title_fingerprint" Gauge "52-bit hash of the page's title, 0 where it has none";
    97 PortalDistance "portal_text_distance" Gauge "how far the text is from the page that is known: 0 the same, 1 nothing in common";
    98 PortalGambling "portal_gambling_words" Gauge "gambling phrases on the page that no word of warning stands by, hidden ones included";
    99 PortalHidden "portal_hidden_gambling_words" Gauge "gambling phrases that readers do not see";
    100 PortalHiddenLinks "portal_hidden_links" Gauge "links to other places that readers do not see";
    101 PortalSuspect "portal_suspect" Gauge "1 while the page shows signs of defacement, else 0";
    104 DnsFlag "probe_dns_flag" Gauge "1 where the answer has the flag, else 0; the part is the flag: aa tc rd ra ad cd";
    105 DnsAuthority "probe_dns_authority_rrs" Gauge "records in the answer's authority section";
    106 DnsAdditional "probe_dns_additional_rrs" Gauge "records in the answer's additional section";
    110 IfHighSpeed "ifHighSpeed" Gauge "speed of the interface, Mbit/s (IF-MIB)";
    111 IfAdminStatus "ifAdminStatus" Gauge "what the interface is meant to be: 1 up, 2 down, 3 testing (IF-MIB)";
    112 IfDiscontinuity "ifCounterDiscontinuityTime_seconds" Gauge "sysUpTime at which the interface's counters last began anew (IF-MIB)";
    120 SysUpTime "sysUpTime_seconds" Gauge "seconds since the device's SNMP agent began anew (SNMPv2-MIB)";
    121 SnmpValues "snmp_values" Gauge "values the device told in this run";
    122 SnmpRequests "snmp_requests" Gauge "requests of this run";
    123 SnmpRepetitions "snmp_repetitions" Gauge "values one request asks the device for: 1 when it is asked one by one";
    130 HrProcessorLoad "hrProcessorLoad_percent" Gauge "load of a processor, percent (HOST-RESOURCES-MIB, or the vendor's)";
    131 HrStorageSize "hrStorageSize_bytes" Gauge "size of a storage, octets (HOST-RESOURCES-MIB)";
    132 HrStorageUsed "hrStorageUsed_bytes" Gauge "used octets of a storage (HOST-RESOURCES-MIB)";
    133 MemoryUsed "device_memory_used_percent" Gauge "used memory of a device, percent (the vendor's)";
    134 Sessions "device_sessions" Gauge "sessions a firewall holds (the vendor's)";
    140 SensorCelsius "entPhySensorValue_celsius" Gauge "temperature a sensor tells (ENTITY-SENSOR-MIB, or the vendor's)";
    141 SensorVolts "entPhySensorValue_volts" Gauge "voltage a sensor tells (ENTITY-SENSOR-MIB, or the vendor's)";
    142 SensorAmperes "entPhySensorValue_amperes" Gauge "current a sensor tells (ENTITY-SENSOR-MIB)";
    143 SensorWatts "entPhySensorValue_watts" Gauge "power a sensor tells (ENTITY-SENSOR-MIB)";
    144 SensorRpm "entPhySensorValue_rpm" Gauge "revolutions a minute a sensor tells (ENTITY-SENSOR-MIB)";
    145 SensorDbm "entPhySensorValue_dbm" Gauge "optical power a sensor tells, dBm (ENTITY-SENSOR-MIB)";
    146 SensorHumidity "entPhySensorValue_humidity_percent" Gauge "relative humidity a sensor tells (ENTITY-SENSOR-MIB)";
    147 SensorHertz "entPhySensorValue_hertz" Gauge "frequency a sensor tells (ENTITY-SENSOR-MIB)";
    148 SensorTruth "entPhySensorValue_truth" Gauge "1 true, 2 false, as a sensor tells (ENTITY-SENSOR-MIB)";
    149 SensorStatus "entPhySensorOperStatus" Gauge "1 ok, 2 unavailable, 3 broken (ENTITY-SENSOR-MIB)";
    150 UpsBatteryStatus "upsBatteryStatus" Gauge "1 unknown, 2 normal, 3 low, 4 depleted (UPS-MIB)";
    151 UpsOnBattery "upsSecondsOnBattery_seconds" Gauge "how long the UPS has been on battery, 0 when it is not (UPS-MIB)";
    152 UpsRemaining "upsEstimatedTimeRemaining_seconds" Gauge "how long the battery would last (UPS-MIB upsEstimatedMinutesRemaining)";
    153 UpsChargePercent "upsEstimatedChargeRemaining_percent" Gauge "charge of the battery, percent (UPS-MIB)";
    154 UpsBatteryVolts "upsBatteryVoltage_volts" Gauge "voltage of the battery (UPS-MIB)";
    155 UpsCelsius "upsBatteryTemperature_celsius" Gauge "temperature at the battery (UPS-MIB)";
    156 UpsOutputSource "upsOutputSource" Gauge "1 other, 2 none, 3 normal, 4 bypass, 5 battery, 6 booster, 7 reducer (UPS-MIB)";
    157 UpsInputVolts "upsInputVoltage_volts" Gauge "voltage of an input line (UPS-MIB)";
    158 UpsLoadPercent "upsOutputPercentLoad_percent" Gauge "load of an output line, percent of the UPS's capacity (UPS-MIB)";
    159 UpsAlarms "upsAlarmsPresent" Gauge "alarm conditions present (UPS-MIB)";
    165 BridgeStations "bridge_stations" Gauge "stations (MAC addresses) learned behind a port (BRIDGE-MIB, Q-BRIDGE-MIB)";
    166 BridgeStationPort "bridge_station_port" Gauge "ifIndex of the port a station is behind; the part is its MAC address (BRIDGE-MIB, Q-BRIDGE-MIB)";
    167 LldpNeighbour "lldp_neighbour" Gauge "1 for each neighbour; the part is our port, its name and its port (LLDP-MIB)";
    180 Cpu "node_cpu_seconds_total" Counter "time all processors together spent; the part is on what: user nice system idle iowait irq softirq steal";
    181 Load1 "node_load1" Gauge "processes that run or wait to, mean of a minute";
    182 Load5 "node_load5" Gauge "processes that run or wait to, mean of five minutes";
    183 Load15 "node_load15" Gauge "processes that run or wait to, mean of fifteen minutes";
    184 MemoryTotal "node_memory_MemTotal_bytes" Gauge "memory the machine has";
    185 MemoryAvailable "node_memory_MemAvailable_bytes" Gauge "memory that programs may still have without swapping";
    186 FilesystemSize "node_filesystem_size_bytes" Gauge "size of a file system; the part is where it is mounted";
    187 FilesystemAvailable "node_filesystem_avail_bytes" Gauge "room left for programs on a file system";
    188 FilesystemReadonly "node_filesystem_readonly" Gauge "1 while a file system takes no writes";
    189 Temperature "temperature_celsius" Gauge "what a sensor of the machine shows; the part is the sensor";
    190 ConntrackEntries "node_nf_conntrack_entries" Gauge "connections the machine keeps track of";
    191 ConntrackLimit "node_nf_conntrack_entries_limit" Gauge "connections it can keep track of; beyond it new ones are lost";
    192 DefaultRoute "default_route" Gauge "1 for the interface that carries what has no other way, 0 for one that would carry it next";
    193 ClockSynchronised "node_timex_sync_status" Gauge "1 while something disciplines the wall clock, else 0";
    194 ClockMaxError "node_timex_maxerror_seconds" Gauge "most the wall clock may be wrong by, while it is disciplined";
    195 ClockEstimatedError "node_timex_estimated_error_seconds" Gauge "what the wall clock is likely wrong by, while it is disciplined";
    200 UpsCharge "ups_battery_charge_ratio" Gauge "charge of the UPS's battery, 0 to 1";
    201 UpsRuntime "ups_battery_runtime_seconds" Gauge "how long the battery would carry what hangs on it";
    202 UpsLoad "ups_load_ratio" Gauge "load on the UPS, 0 to 1";
    203 UpsInput "ups_input_volts" Gauge "voltage of the mains";
    204 UpsStatus "ups_status" Gauge "1 while the UPS says so of itself, else 0; the part is what: online on-battery low-battery replace-battery overload bypass off";
    220 LossThere "probe_loss_there_ratio" Gauge "share of packets lost on the way there; nothing where the reflector does not number its answers";
    221 LossBack "probe_loss_back_ratio" Gauge "share of packets lost on the way back; nothing where the reflector does not number its answers";
    222 JitterThere "probe_jitter_there_seconds" Gauge "mean difference between the ways there of packets sent one after the other (IPDV of RFC 3393)";
    223 JitterBack "probe_jitter_back_seconds" Gauge "mean difference between the ways back of packets sent one after the other (IPDV of RFC 3393)";
    224 DelayThere "probe_delay_there_seconds" Gauge "median one-way delay there; nothing where both clocks together may be wrong by more than half the round trip";
    225 DelayBack "probe_delay_back_seconds" Gauge "median one-way delay back; nothing where both clocks together may be wrong by more than half the round trip";
    226 DelayBound "probe_delay_bound_seconds" Gauge "most the one-way delays may be wrong by, as both clocks say of themselves";
    227 VoiceMos "probe_voice_mos" Gauge "voice MOS: score of a call over this way, 1 to 4.5 (E-model of ITU-T G.107 with its default values; G.711 with loss concealment, a jitter buffer of twice the jitter)";
    228 PathMtu "path_mtu_bytes" Gauge "longest packet, IP header included, that goes to the centre and back whole; 1500 is the most looked for";
    229 BottleneckUp "bottleneck_up_bits_per_second" Gauge "rate of the narrowest link to the centre, by how far it pulled a train of packets apart";
    230 BottleneckDown "bottleneck_down_bits_per_second" Gauge "rate of the narrowest link from the centre, by how far it pulled the answers to a train apart";
    231 BottleneckDownLeast "bottleneck_down_least_bits_per_second" Gauge "rate the way from the centre carries at least, where it did not pull the answers apart";
    232 TrainLoss "train_loss_ratio" Gauge "share of the train's packets lost there and back";
    233 BottleneckUpLeast "bottleneck_up_least_bits_per_second" Gauge "rate the way to the centre carries at least, where it did not pull the train apart";
    235 PathHops "path_hops" Gauge "hops to the target, where it answered";
    236 PathLastHop "path_last_hop" Gauge "number of the last hop that answered, 0 when none did; of a broken path, where it broke";
    237 PathHopRtt "path_hop_rtt_seconds" Gauge "round trip to a hop of the path; the part is its number";
    238 PathChanges "path_changes" Counter "how often the path was another than before, since the agent started";
}
