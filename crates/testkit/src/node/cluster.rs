//! Several nodes that are one broker.

use anyhow::{Result, bail};

use super::seat::Seat;
use super::{RabbitNode, Vhost, ports};

/// A cluster of private nodes, each with ports, data and log of its own. All end when it is dropped, or its owner ends.
#[derive(Debug)]
pub struct Cluster {
    // The first one's guardian keeps the epmd, so it goes last.
    nodes: Vec<RabbitNode>,
}

impl Cluster {
    /// Starts so many nodes and joins them. Takes some 20 s for three.
    ///
    /// # Errors
    /// A node does not start or does not join; the error has the end of its log.
    pub fn start(size: usize) -> Result<Cluster> {
        let [epmd_port] = ports::free()?;
        let cookie: String = (0..20).map(|_| fastrand::uppercase()).collect();
        let mut cluster = Cluster { nodes: Vec::new() };
        for number in 0..size {
            let seat = Seat {
                number,
                epmd_port,
                cookie: cookie.clone(),
            };
            let node = RabbitNode::launch(None, Some(&seat))?;
            if number == 0 {
                // The others would start an epmd of their own.
                node.await_ready()?;
            }
            cluster.nodes.push(node);
        }
        let first = cluster.node(0).info().node_name.clone();
        for node in cluster.nodes.iter().skip(1) {
            node.await_ready()?;
            node.stop_app()?;
            node.ctl(&["join_cluster", &first])?;
            node.start_app()?;
            node.await_ready()?;
        }
        cluster.check()?;
        Ok(cluster)
    }

    /// All nodes are known to run in one cluster.
    fn check(&self) -> Result<()> {
        let running = self
            .node(0)
            .eval("length(rabbit_mnesia:cluster_nodes(running)).")?;
        if running != self.nodes.len().to_string() {
            bail!("{running} of {} nodes are in the cluster", self.nodes.len());
        }
        Ok(())
    }

    /// The nodes, first to last.
    pub fn nodes(&self) -> &[RabbitNode] {
        &self.nodes
    }

    /// One of the nodes, from 0.
    ///
    /// # Panics
    /// There is no such node.
    pub fn node(&self, number: usize) -> &RabbitNode {
        &self.nodes[number]
    }

    /// A new virtual host, on all nodes. It is managed by way of the first node: for as long as that is down, look at it
    /// through [`Cluster::vhost_at`].
    ///
    /// # Errors
    /// The first node does not answer.
    pub fn vhost(&self, name: &str) -> Result<Vhost> {
        self.node(0).vhost(name)
    }

    /// The same virtual host as it is seen at another node.
    pub fn vhost_at(&self, number: usize, vhost: &Vhost) -> Vhost {
        self.node(number).open_vhost(vhost.name())
    }

    /// Ends a node on the spot (kill -9); see [`RabbitNode::kill`].
    ///
    /// # Errors
    /// It does not end.
    pub fn kill(&self, number: usize) -> Result<()> {
        self.node(number).kill()
    }

    /// Starts a node that was killed, and returns when it answers. It needs another node of the cluster that runs.
    ///
    /// # Errors
    /// It does not come up; the error has the end of its log.
    pub fn start_node(&self, number: usize) -> Result<()> {
        self.node(number).start_again()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        while let Some(node) = self.nodes.pop() {
            node.stop();
        }
    }
}
