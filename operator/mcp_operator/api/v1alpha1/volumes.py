"""Volumes of the pods of an MCPServer, of kinds that the `restricted` Pod Security Standard allows.

`hostPath` and the in-tree drivers of node storage are left out: there is no field for them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import DnsLabel, DnsSubdomain
from mcp_operator.api.v1alpha1.container import Quantity

FileMode = Annotated[int, Field(ge=0, le=0o777)]
Path = Annotated[str, Field(min_length=1, max_length=1024)]


class KeyToPath(ApiModel):
    """One key, as a file."""

    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key of the data."""
    path: Path
    """Relative path of the file."""
    mode: FileMode | None = None
    """Permissions of the file; defaultMode of the volume when left out."""


Items = Annotated[tuple[KeyToPath, ...], Field(max_length=64)]


class ConfigMapFiles(ApiModel):
    """The data of a ConfigMap, as files."""

    name: DnsSubdomain
    """Name of the ConfigMap."""
    items: Items | None = None
    """Keys that become files; all when left out."""
    optional: bool | None = None
    """Whether pods start without it."""


class SecretFiles(ApiModel):
    """The data of a Secret, as files of a projected volume."""

    name: DnsSubdomain
    """Name of the Secret."""
    items: Items | None = None
    """Keys that become files; all when left out."""
    optional: bool | None = None
    """Whether pods start without it."""


class ConfigMapVolume(ConfigMapFiles):
    """A volume with the data of a ConfigMap."""

    default_mode: FileMode | None = None
    """Permissions of the files; 0644 when left out."""


class SecretVolume(ApiModel):
    """A volume with the data of a Secret."""

    secret_name: DnsSubdomain
    """Name of the Secret."""
    items: Items | None = None
    """Keys that become files; all when left out."""
    default_mode: FileMode | None = None
    """Permissions of the files; 0644 when left out."""
    optional: bool | None = None
    """Whether pods start without it."""


class TokenFile(ApiModel):
    """A token of the pod's ServiceAccount, as a file."""

    audience: Annotated[str, Field(min_length=1, max_length=253)]
    """Whom the token is for, such as sts.amazonaws.com."""
    expiration_seconds: Annotated[
        int, Field(ge=600, le=2**31 - 1, json_schema_extra={"format": "int64"})
    ] = 3600
    """How long a token is valid; the file is renewed before."""
    path: Path
    """Relative path of the file."""


class FileFieldRef(ApiModel):
    """A field of the pod's metadata."""

    api_version: Literal["v1"] = "v1"
    """Version of the API that fieldPath is written in."""
    field_path: Annotated[str, Field(min_length=1, max_length=384)]
    """Path of the field, such as metadata.labels."""


class FieldFile(ApiModel):
    """A field of the pod, as a file."""

    path: Path
    """Relative path of the file."""
    field_ref: FileFieldRef
    """The field."""


class FieldFiles(ApiModel):
    """Fields of the pod, as files."""

    items: Annotated[tuple[FieldFile, ...], Field(min_length=1, max_length=16)]
    """The files."""


class Projection(ApiModel):
    """One source of a projected volume."""

    model_config = validated(
        rule(
            "[has(self.configMap), has(self.secret), has(self.downwardAPI), "
            "has(self.serviceAccountToken)].filter(given, given).size() == 1",
            "set exactly one of configMap, secret, downwardAPI and serviceAccountToken",
        )
    )

    config_map: ConfigMapFiles | None = None
    """The data of a ConfigMap."""
    secret: SecretFiles | None = None
    """The data of a Secret."""
    downward_api: Annotated[FieldFiles | None, Field(alias="downwardAPI")] = None
    """Fields of the pod."""
    service_account_token: TokenFile | None = None
    """A token of the pod's ServiceAccount."""


class ProjectedVolume(ApiModel):
    """A volume with files of several sources."""

    sources: Annotated[tuple[Projection, ...], Field(min_length=1, max_length=16)]
    """The sources; each sets exactly one of its fields."""
    default_mode: FileMode | None = None
    """Permissions of the files; 0644 when left out."""


class EmptyDir(ApiModel):
    """An empty folder that is gone with the pod."""

    medium: Literal["", "Memory"] | None = None
    """Memory for a folder in memory, which counts as memory of the container."""
    size_limit: Quantity | None = None
    """Maximum size."""


class Claim(ApiModel):
    """A volume that a PersistentVolumeClaim stands for."""

    claim_name: DnsSubdomain
    """Name of the PersistentVolumeClaim."""
    read_only: bool | None = None
    """Whether it cannot be written."""


class SecretName(ApiModel):
    """A Secret of the same namespace."""

    name: DnsSubdomain
    """Name of the Secret."""


class CSIVolume(ApiModel):
    """A volume of a CSI driver, such as secrets-store.csi.k8s.io."""

    driver: DnsSubdomain
    """Name of the driver."""
    read_only: bool | None = None
    """Whether it cannot be written."""
    volume_attributes: (
        Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] | None
    ) = None
    """Parameters of the driver."""
    node_publish_secret_ref: SecretName | None = None
    """Secret that the driver is given."""


class Volume(ApiModel):
    """A volume of the pods, for volumeMounts to name."""

    model_config = validated(
        rule(
            "[has(self.configMap), has(self.secret), has(self.projected), has(self.emptyDir), "
            "has(self.persistentVolumeClaim), has(self.csi)].filter(given, given).size() == 1",
            "set exactly one of configMap, secret, projected, emptyDir, persistentVolumeClaim and "
            "csi; other kinds of volumes are not allowed",
        ),
        rule(
            "!(self.name in ['config', 'tls'])",
            "the volumes config and tls are reserved for the operator; choose another name",
            field_path=".name",
        ),
    )

    name: DnsLabel
    """Name of the volume."""
    config_map: ConfigMapVolume | None = None
    """The data of a ConfigMap."""
    secret: SecretVolume | None = None
    """The data of a Secret."""
    projected: ProjectedVolume | None = None
    """Files of several sources."""
    empty_dir: EmptyDir | None = None
    """An empty folder."""
    persistent_volume_claim: Claim | None = None
    """The volume of a PersistentVolumeClaim."""
    csi: CSIVolume | None = None
    """A volume of a CSI driver."""


class VolumeMount(ApiModel):
    """Where a container finds a volume."""

    model_config = validated(
        rule(
            "self.mountPath.startsWith('/') && !self.mountPath.contains(':') "
            "&& self.mountPath != '/' && !self.mountPath.matches('^/etc/mcp(/|$)') "
            "&& !self.mountPath.matches('/[.][.]?(/|$)|//')",
            "write a plain absolute path other than / and outside of /etc/mcp",
            field_path=".mountPath",
        ),
    )

    name: DnsLabel
    """Name of the volume."""
    mount_path: Annotated[str, Field(min_length=1, max_length=1024)]
    """Absolute path in the container."""
    sub_path: Annotated[str, Field(max_length=1024)] | None = None
    """Path in the volume that is mounted in place of its root."""
    read_only: bool | None = None
    """Whether it cannot be written."""


Mounts = Annotated[tuple[VolumeMount, ...], Field(max_length=32)]
