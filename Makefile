# The way into everything here; the work is done by the scripts in dev/. A bare `make` lists it.

.DEFAULT_GOAL := help
.PHONY: help demo test bench check audit generate build image cluster cluster-stop run

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## see it work: a cluster, the operator, and the story of two tenants (STORE=postgres, STORE=keycloak: on these)
	@STORE=$(or $(STORE),sqlite) dev/demo.sh

test: ## all tests, on a real control plane
	@dev/test.sh

bench: ## what writing users costs, as ratios (STORES="sqlite postgres keycloak", USERS=300, ROUNDS=5)
	@USERS=$(USERS) ROUNDS=$(ROUNDS) dev/bench.sh $(STORES)

check: ## form, lints, licences, generated files
	@dev/check.sh

audit: ## known vulnerabilities of the dependencies
	@dev/audit.sh

generate: ## write the CRDs, and the docs that come from the code, anew
	@dev/generate.sh

build: ## compile the operator
	@cargo build --locked

image: ## the operator as a container image, in target/dev/podman
	@dev/image.sh --release

cluster: ## start a cluster in target/cluster and leave it running
	@dev/cluster.sh start

cluster-stop: ## stop that cluster
	@dev/cluster.sh stop

run: ## the operator against that cluster
	@dev/run.sh
