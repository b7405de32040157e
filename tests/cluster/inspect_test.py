#!/usr/bin/env python3
"""What one node tells of another and of all of them over HTTP, while one is dead."""

import time

from rig.case import Case, main, wait_until
from rig.cluster import Cluster, Member

NODES = ["n1", "n2", "n3"]
ASKED_S = 3  # a node that does not answer costs no more; generous below, since the machine may be busy


def kinds_of(answer):
    return {actor["kind"] for actor in answer["actors"]}


class Inspect(Case):
    def get(self, node, target, status=200):
        with node.client(30) as client:
            response = client.get(target)
        self.assertEqual(response.status, status, response)
        return response.json()

    def check_others(self, cluster):
        n1 = cluster["n1"]
        for other in NODES:
            answer = self.get(n1, f"/v1/actors?node={other}")
            self.assertEqual(answer["node"], other)
            self.assertLessEqual({"node", "raft", "log", "segment", "reader", "maintenance", "cluster", "membership",
                                  "inspect", "gateway"}, kinds_of(answer))
            ids = {actor["id"] for actor in answer["actors"]}
            self.assertTrue(all(actor["parent"] is None or actor["parent"] in ids for actor in answer["actors"]))
            raft = next(actor for actor in answer["actors"] if actor["kind"] == "raft")
            one = self.get(n1, f"/v1/actors/{raft['id']}?node={other}")
            self.assertEqual((one["id"], one["kind"], one["node"]), (raft["id"], "raft", other))
            self.assertTrue(one["events"], "elections at least")
            self.assertGreater(one["busy_us"], 0)
            facts = self.get(n1, f"/v1/node?node={other}")
            self.assertEqual((facts["node"], facts["pid"]), (other, cluster[other].process.pid))
            self.assertEqual(facts["http"], cluster[other].http)
            self.assertTrue(facts["ready"], facts["unready"])
            self.assertEqual({link["node"] for link in facts["links"] if link["up"]}, set(NODES) - {other})
        leader = cluster.wait_leader().node_id
        for state in self.get(n1, "/v1/logs/default/raft?cluster=true")["nodes"]:
            self.assertEqual(state["role"], "leader" if state["node"] == leader else "follower")
            self.assertEqual(state["leader"], leader)
            self.assertEqual({peer["node"] for peer in state["peers"]}, set(NODES) - {state["node"]})

    def test_one_is_dead(self):
        with Cluster(self.dir, 3).start() as cluster:
            n1 = cluster["n1"]
            self.check_others(cluster)
            everyone = self.get(n1, "/v1/cluster?cluster=true")["nodes"]
            self.assertEqual([view["node"] for view in everyone], NODES)
            for view in everyone:
                self.assertEqual({(member["id"], member["role"]) for member in view["members"]},
                                 {(node_id, "voter") for node_id in NODES})
            problem = self.get(n1, "/v1/actors?node=n9", 404)
            self.assertIn("n9", problem["detail"])

            cluster["n3"].pause()  # it holds its links, and says nothing
            begun = time.monotonic()
            silent = self.get(n1, "/v1/actors?cluster=true")["nodes"]
            took_s = time.monotonic() - begun
            self.assertEqual([part["node"] for part in silent], NODES)
            self.assertIn("error", silent[2])
            self.assertEqual(silent[2]["error"]["code"], "unavailable")
            self.assertIn("raft", kinds_of(silent[0]))
            self.assertIn("raft", kinds_of(silent[1]))
            self.assertLess(took_s, 3 * ASKED_S)
            self.note(f"asking all with one of them stopped took {took_s:.2f} s")

            cluster["n3"].kill()
            wait_until(lambda: not any(link["up"] for link in self.get(n1, "/v1/node")["links"]
                                       if link["node"] == "n3"), 30, "the lost link is seen")
            self.assertEqual(self.get(n1, "/v1/actors?node=n3", 503)["code"], "unavailable")
            dead = self.get(n1, "/v1/cluster?cluster=true")["nodes"]
            self.assertEqual(dead[2]["node"], "n3")
            self.assertIn("error", dead[2])
            self.assertEqual(len(dead[0]["members"]), 3)

    def test_a_node_that_waits_to_join(self):
        alone = Member(self.dir / "w1", "w1", join=["127.0.0.1:9"], log=self.dir / "w1.log")
        self.addCleanup(alone.kill)
        alone.spawn().wait_listening()
        facts = self.get(alone, "/v1/node")
        self.assertIsNone(facts["cluster_id"])
        self.assertFalse(facts["ready"])
        self.assertEqual(kinds_of(self.get(alone, "/v1/actors")), {"node", "join", "inspect", "gateway"})
        self.assertEqual([member["id"] for member in self.get(alone, "/v1/cluster")["members"]], ["w1"])
        refused = self.get(alone, "/v1/logs/default/raft", 503)
        self.assertIn("not a member", refused["detail"])


if __name__ == "__main__":
    main()
