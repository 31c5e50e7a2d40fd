#!/bin/sh
# Writes what Redis and its Sentinel start with: who the primary is, who may do what.
set -eu
umask 077

host=${HOST:-$(hostname -f)} # such as mcp-redis-ha-1.mcp-redis-ha.team-a.svc.cluster.local
first=${FIRST:-${POD_NAME%-*}-0${host#"$POD_NAME"}}
port=${PORT:-6379}
sentinel_port=${SENTINEL_PORT:-26379}

# The Sentinels know the primary, if there are any yet.
known=$(REDISCLI_AUTH=$SENTINEL_PASSWORD timeout 5 redis-cli --user sentinel --tls \
  --cacert "$TLS/ca.crt" --sni mcp-redis-ha -h mcp-redis-ha-sentinel -p 26379 \
  SENTINEL GET-MASTER-ADDR-BY-NAME mcp 2>/dev/null || true)
primary=$(echo "$known" | sed -n 1p)
primary_port=$(echo "$known" | sed -n 2p)
case $primary_port in
'' | *[!0-9]*) primary=$first primary_port=${FIRST_PORT:-6379} ;;
esac

# Both passwords are good while one takes the place of the other.
gateway=">$GATEWAY_PASSWORD"
if [ -n "${GATEWAY_PASSWORD_OLD:-}" ]; then
  gateway="$gateway >$GATEWAY_PASSWORD_OLD"
fi

cat >"$DATA/users.acl" <<EOF
user default off
user gateway on $gateway ~* &* +@all -@admin -@dangerous
user replica on >$REPLICA_PASSWORD +psync +replconf +ping
user sentinel on >$SENTINEL_PASSWORD &* +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill
EOF

cat >"$DATA/sentinel-users.acl" <<EOF
user default off
user gateway on $gateway +sentinel|get-master-addr-by-name +ping
user sentinel on >$SENTINEL_PASSWORD ~* &* +@all
EOF

tls() {
  cat <<EOF
port 0
tls-port $1
tls-cert-file $TLS/tls.crt
tls-key-file $TLS/tls.key
tls-ca-cert-file $TLS/ca.crt
tls-auth-clients no
tls-replication yes
dir $DATA
EOF
}

{
  tls "$port"
  cat <<EOF
aclfile $DATA/users.acl
masteruser replica
masterauth $REPLICA_PASSWORD
replica-announce-ip $host
replica-announce-port $port
save ""
appendonly no
maxmemory 192mb
maxmemory-policy allkeys-lru
EOF
  if [ "$primary:$primary_port" != "$host:$port" ]; then
    echo "replicaof $primary $primary_port"
  fi
} >"$DATA/redis.conf"

{
  tls "$sentinel_port"
  cat <<EOF
aclfile $DATA/sentinel-users.acl
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $host
sentinel announce-port $sentinel_port
sentinel monitor mcp $primary $primary_port 2
sentinel auth-user mcp sentinel
sentinel auth-pass mcp $SENTINEL_PASSWORD
sentinel sentinel-user sentinel
sentinel sentinel-pass $SENTINEL_PASSWORD
sentinel down-after-milliseconds mcp 3000
sentinel failover-timeout mcp 10000
sentinel parallel-syncs mcp 1
EOF
} >"$DATA/sentinel.conf"
