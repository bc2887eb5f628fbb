//! `cargo xtask layers`: dependencies point down only, and no core stands on I/O.
//!
//! The folder a crate lies in says its room; docs/decisions/0003-rooms-and-the-node-core.md says
//! why the rooms are these.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::tree;

/// Crates that do I/O, read a clock or make randomness: none may stand under words or cores.
const IMPURE: &[&str] = &[
    "async-std",
    "fastrand",
    "fjall",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rusqlite",
    "socket2",
    "tokio",
];

/// Where a crate of the workspace lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// A place in the drawing; lower is further down.
    Row { name: &'static str, rank: u8 },
    /// Beside the drawing: may use everything but a binary.
    Testing,
    /// The chores: may use everything, nothing uses them.
    Xtask,
}

const WORDS: u8 = 1;
const CORES: u8 = 3;
const BIN: u8 = 6;

impl Room {
    /// The room of a folder such as `cores/push`.
    fn of(folder: &str) -> Option<Self> {
        let row = |name, rank| Some(Self::Row { name, rank });
        match folder.split('/').collect::<Vec<_>>()[..] {
            ["words", "model"] => row("words (model)", 0),
            ["words", _] => row("words", WORDS),
            ["cores", "node" | "xmpp"] => row("cores (node, xmpp)", CORES),
            ["cores", _] => row("cores", 2),
            ["adapters", _] => row("adapters", 4),
            ["shells", _] => row("shells", 5),
            ["bin", _] => row("bin", BIN),
            ["testing", _] => Some(Self::Testing),
            ["xtask"] => Some(Self::Xtask),
            _ => None,
        }
    }

    /// Whether a crate here must do without I/O.
    fn is_pure(self) -> bool {
        matches!(self, Self::Row { rank, .. } if rank <= CORES)
    }

    /// Whether code here may use a crate there, and why not.
    fn may_use(self, there: Self, kind: Kind) -> Result<(), &'static str> {
        use Room::{Row, Testing, Xtask};
        match (self, there) {
            (_, Xtask) => Err("nothing may use the chores"),
            (Xtask, _) => Ok(()),
            (_, Row { rank: BIN, .. }) => Err("nothing may use a binary"),
            (_, _) if kind == Kind::Dev => Ok(()),
            (Testing | Row { rank: BIN, .. }, Testing) | (Testing, Row { .. }) => Ok(()),
            (Row { .. }, Testing) => Err("only tests and binaries may use testing"),
            (Row { rank: here, .. }, Row { rank: there, .. }) if there < here => Ok(()),
            (Row { rank: here, .. }, Row { rank: there, .. }) if there == here => {
                Err("dependencies never point sideways")
            }
            (Row { .. }, Row { .. }) => Err("dependencies point down only"),
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row { name, .. } => name,
            Self::Testing => "testing",
            Self::Xtask => "xtask",
        })
    }
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For the crate and everything that uses it, or for its build script.
    Normal,
    /// For its tests.
    Dev,
}

/// The workspace and what stands under it.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The workspace's crates; `None` for a folder that is no room.
    pub(crate) rooms: BTreeMap<String, Option<Room>>,
    /// What the workspace's crates declare of each other: from, to, kind.
    pub(crate) declared: Vec<(String, String, Kind)>,
    /// What every crate, ours or not, is linked with; build scripts and tests left out. Crates
    /// that are not ours are `name version`: two versions may be linked with different things.
    pub(crate) linked: BTreeMap<String, BTreeSet<String>>,
}

/// A rule broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A crate lies where no room is.
    NoRoom { name: String },
    /// A dependency that the drawing does not allow.
    Edge { from: String, from_room: Room, to: String, to_room: Room, why: &'static str },
    /// A core or word that is linked with I/O, and the way to it.
    Impure { path: Vec<String> },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom { name } => write!(f, "{name} lies in a folder that is no room"),
            Self::Edge { from, from_room, to, to_room, why } => {
                write!(f, "{from} [{from_room}] must not use {to} [{to_room}]: {why}")
            }
            Self::Impure { path } => {
                write!(f, "{} does no I/O, yet is linked so: {}", path[0], path.join(" -> "))
            }
        }
    }
}

/// Every rule that a workspace breaks.
pub(crate) fn violations(graph: &Graph) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, room) in &graph.rooms {
        match room {
            None => found.push(Violation::NoRoom { name: name.clone() }),
            Some(room) if room.is_pure() => {
                found.extend(impure_paths(graph, name).map(|path| Violation::Impure { path }));
            }
            Some(_) => {}
        }
    }
    for (from, to, kind) in &graph.declared {
        let (Some(from_room), Some(to_room)) = (graph.room(from), graph.room(to)) else { continue };
        if let Err(why) = from_room.may_use(to_room, *kind) {
            let (from, to) = (from.clone(), to.clone());
            found.push(Violation::Edge { from, from_room, to, to_room, why });
        }
    }
    found
}

/// The shortest way from a crate to each impure one under it.
fn impure_paths(graph: &Graph, start: &str) -> impl Iterator<Item = Vec<String>> {
    let mut seen = BTreeSet::from([start.to_owned()]);
    let mut ways = VecDeque::from([vec![start.to_owned()]]);
    let mut found = Vec::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last().expect("a way begins with its start");
        if IMPURE.contains(&last.split(' ').next().unwrap_or_default()) {
            found.push(way);
            continue;
        }
        for next in graph.linked.get(last).into_iter().flatten() {
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().chain([next]).cloned().collect());
            }
        }
    }
    found.into_iter()
}

impl Graph {
    fn room(&self, name: &str) -> Option<Room> {
        self.rooms.get(name).copied().flatten()
    }

    /// The graph as cargo resolves it, features of the whole workspace joined.
    fn read() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .current_dir(tree::root())
            .exec()
            .context("'cargo metadata' failed")?;
        let mut graph = Self::default();
        for package in metadata.workspace_packages() {
            let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
            let folder = folder.strip_prefix(&metadata.workspace_root).unwrap_or(folder);
            graph.rooms.insert(package.name.to_string(), Room::of(folder.as_str()));
        }
        for package in metadata.workspace_packages() {
            for dependency in &package.dependencies {
                let kind = match dependency.kind {
                    DependencyKind::Development => Kind::Dev,
                    _ => Kind::Normal,
                };
                if graph.rooms.contains_key(&dependency.name) {
                    let (from, to) = (package.name.to_string(), dependency.name.clone());
                    graph.declared.push((from, to, kind));
                }
            }
        }
        graph.linked = linked(&metadata)?;
        Ok(graph)
    }
}

fn linked(metadata: &Metadata) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let ours: BTreeSet<&PackageId> = metadata.workspace_members.iter().collect();
    let name = |package: &cargo_metadata::Package| match ours.contains(&package.id) {
        true => package.name.to_string(),
        false => format!("{} {}", package.name, package.version),
    };
    let names: BTreeMap<&PackageId, String> =
        metadata.packages.iter().map(|package| (&package.id, name(package))).collect();
    let resolve = metadata.resolve.as_ref().context("'cargo metadata' resolved nothing")?;
    let mut linked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &resolve.nodes {
        let below = linked.entry(names[&node.id].clone()).or_default();
        for dependency in &node.deps {
            let is_linked =
                |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
            if dependency.dep_kinds.iter().any(is_linked) {
                below.insert(names[&dependency.pkg].clone());
            }
        }
    }
    Ok(linked)
}

/// Checks the workspace.
pub(crate) fn run() -> Result<()> {
    let found: Vec<String> = violations(&Graph::read()?).iter().map(ToString::to_string).collect();
    tree::none_of(&found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Crates by folder, the last part being the name.
    fn workspace(folders: &[&str]) -> Graph {
        let rooms = folders
            .iter()
            .map(|folder| (folder.rsplit('/').next().unwrap().to_owned(), Room::of(folder)))
            .collect();
        Graph { rooms, ..Graph::default() }
    }

    fn messages(graph: &Graph) -> Vec<String> {
        violations(graph).iter().map(ToString::to_string).collect()
    }

    fn edge(folders: [&str; 2], kind: Kind) -> Vec<String> {
        let mut graph = workspace(&folders);
        let [from, to] = folders.map(|folder| folder.rsplit('/').next().unwrap().to_owned());
        graph.declared.push((from, to, kind));
        messages(&graph)
    }

    #[test]
    fn every_step_down_is_allowed() {
        let down = [
            "bin/nightjar",
            "shells/client",
            "adapters/store-fjall",
            "cores/node",
            "cores/domain",
            "words/wire",
            "words/model",
        ];
        for (i, from) in down.iter().enumerate() {
            for to in &down[i + 1..] {
                assert_eq!(edge([from, to], Kind::Normal), [""; 0], "{from} -> {to}");
            }
        }
    }

    #[test]
    fn an_edge_up_is_named() {
        assert_eq!(
            edge(["cores/domain", "adapters/store-fjall"], Kind::Normal),
            ["domain [cores] must not use store-fjall [adapters]: dependencies point down only"]
        );
    }

    #[test]
    fn an_edge_sideways_is_named() {
        assert_eq!(
            edge(["cores/push", "cores/domain"], Kind::Normal),
            ["push [cores] must not use domain [cores]: dependencies never point sideways"]
        );
    }

    #[test]
    fn product_code_does_not_use_testing_but_tests_and_binaries_do() {
        let to = "testing/world";
        assert_eq!(
            edge(["shells/client", to], Kind::Normal),
            [
                "client [shells] must not use world [testing]: only tests and binaries may use testing"
            ]
        );
        assert_eq!(edge(["shells/client", to], Kind::Dev), [""; 0]);
        assert_eq!(edge(["bin/nightjar", to], Kind::Normal), [""; 0]);
        assert_eq!(edge(["testing/load", to], Kind::Normal), [""; 0]);
    }

    #[test]
    fn nothing_uses_a_binary_or_the_chores() {
        assert_eq!(
            edge(["testing/world", "bin/nightjar"], Kind::Dev),
            ["world [testing] must not use nightjar [bin]: nothing may use a binary"]
        );
        assert_eq!(
            edge(["bin/nightjar", "xtask"], Kind::Dev),
            ["nightjar [bin] must not use xtask [xtask]: nothing may use the chores"]
        );
        assert_eq!(edge(["xtask", "testing/world"], Kind::Normal), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_no_room_is_named() {
        assert_eq!(messages(&workspace(&["crates/odd"])), ["odd lies in a folder that is no room"]);
    }

    #[test]
    fn tokio_under_a_core_is_named_with_the_way_to_it() {
        let mut graph = workspace(&["cores/domain", "shells/client"]);
        let below = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        graph.linked.insert("domain".into(), below(&["serde", "harmless"]));
        graph.linked.insert("harmless".into(), below(&["tokio 1.0.0"]));
        graph.linked.insert("client".into(), below(&["tokio"]));
        graph.linked.insert("tokio".into(), below(&["mio"]));
        assert_eq!(
            messages(&graph),
            ["domain does no I/O, yet is linked so: domain -> harmless -> tokio 1.0.0"]
        );
    }
}
