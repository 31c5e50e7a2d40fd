"""Compiles an MCPPrompt, whose texts and variables must match."""

from __future__ import annotations

from mcp_operator.api.catalog import PromptEntry, SourceRef
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.places import PROMPT_PLACE
from mcp_operator.api.prompts import PromptMedia, PromptMessage, PromptVariable, ResourceLink
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPPrompt
from mcp_operator.api.v1alpha1 import mcpprompt as declared
from mcp_operator.builders.check_texts import hidden_in, joined_base64
from mcp_operator.builders.compile_icons import compile_icons
from mcp_operator.builders.compiled import (
    Compiled,
    FaultError,
    Finding,
    remark,
)
from mcp_operator.core.meta import Key


def variables_used(prompt: MCPPrompt) -> frozenset[str]:
    """Return the names in `{{…}}` places of every text and every resource URI."""
    return frozenset(name for text in _texts(prompt) for name in PROMPT_PLACE.findall(text))


def undeclared(prompt: MCPPrompt) -> tuple[str, ...]:
    """Return the variables that a text uses but the prompt does not declare, sorted."""
    return tuple(sorted(variables_used(prompt) - {v.name for v in prompt.spec.variables}))


def unused(prompt: MCPPrompt) -> tuple[str, ...]:
    """Return the variables that are declared but that no text uses, sorted."""
    return tuple(sorted({v.name for v in prompt.spec.variables} - variables_used(prompt)))


def compile_prompt(prompt: MCPPrompt) -> Compiled:
    """Compile a prompt, or report what is wrong with it."""
    findings = _findings(prompt)
    entries: tuple[PromptEntry, ...] = ()
    try:
        entry = _entry(prompt)
    except FaultError as error:
        findings.append(error.finding)
    else:
        served = prompt.spec.enabled and not any(finding.blocking for finding in findings)
        entries = (entry,) if served else ()
    return Compiled(
        "MCPPrompt",
        Key(prompt.namespace, prompt.name),
        prompt.metadata.get("creationTimestamp", ""),
        entries,
        tuple(findings),
    )


def _texts(prompt: MCPPrompt) -> list[str]:
    if prompt.spec.template is not None:
        return [prompt.spec.template]
    texts = [
        text
        for m in prompt.spec.messages
        for text in (m.text, m.resource_uri, m.resource_link.uri if m.resource_link else None)
    ]
    return [text for text in texts if text is not None]


def _findings(prompt: MCPPrompt) -> list[Finding]:
    findings = []
    if prompt.spec.template is None and not prompt.spec.messages:
        findings.append(  # a newer CRD may accept what this release does not know
            Finding(
                ConditionType.ACCEPTED,
                Reason.INVALID,
                "spec sets neither template nor messages: set one of them",
            )
        )
    if missing := undeclared(prompt):
        findings.append(
            Finding(
                ConditionType.ACCEPTED,
                Reason.UNDECLARED_VARIABLE,
                f"the text uses {_quoted(missing)}: declare it in variables, or remove it",
            )
        )
    remarks = []
    if idle := unused(prompt):
        remarks.append(f"no text uses the declared {_quoted(idle)}")
    remarks += [
        f"the default of {variable.name} has no effect, because the variable is required"
        for variable in prompt.spec.variables
        if variable.required and variable.default is not None
    ]
    if remarks:
        findings.append(remark(Reason.ACCEPTED, "; ".join(remarks)))
    texts: dict[str, str | None] = {
        "title": prompt.spec.title,
        "description": prompt.spec.description,
    }
    for n, variable in enumerate(prompt.spec.variables):
        texts |= {
            f"variables[{n}].title": variable.title,
            f"variables[{n}].description": variable.description,
        }
    for n, message in enumerate(prompt.spec.messages):
        if (link := message.resource_link) is not None:
            texts |= {
                f"messages[{n}].resourceLink.title": link.title,
                f"messages[{n}].resourceLink.description": link.description,
            }
    findings += hidden_in(texts)
    if not prompt.spec.enabled:
        findings.append(remark(Reason.DISABLED, "enabled is false"))
    elif prompt.spec.ingress_path is not None:
        findings.append(
            remark(
                Reason.INGRESS_PATH_IGNORED,
                "ingressPath has no effect: clients get every prompt at the server's one endpoint",
            )
        )
    return findings


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"{{{{{name}}}}}" for name in names)


def _entry(prompt: MCPPrompt) -> PromptEntry:
    spec = prompt.spec
    messages = (
        (PromptMessage(role="user", text=spec.template),)
        if spec.template is not None
        else tuple(_message(f"messages[{n}]", message) for n, message in enumerate(spec.messages))
    )
    return PromptEntry(
        name=spec.name,
        title=spec.title or "",
        description=spec.description,
        icons=compile_icons(spec.icons),
        variables=tuple(
            PromptVariable(
                name=variable.name,
                title=variable.title or "",
                description=variable.description,
                required=variable.required,
                default=variable.default,
                enum=variable.enum,
                elicit=variable.elicit,
            )
            for variable in spec.variables
        ),
        messages=messages,
        source=SourceRef(kind="MCPPrompt", namespace=prompt.namespace, name=prompt.name),
    )


def _message(where: str, message: declared.PromptMessage) -> PromptMessage:
    """Compile one message.

    Raises:
        FaultError: Its image or audio is not base64.
    """
    link = message.resource_link
    return PromptMessage(
        role=message.role,
        text=message.text,
        image=_media(f"{where}.image", message.image),
        audio=_media(f"{where}.audio", message.audio),
        resource_uri=message.resource_uri,
        resource_link=link
        and ResourceLink(
            uri=link.uri,
            name=link.name,
            title=link.title or "",
            description=link.description,
            mime_type=link.mime_type or "",
        ),
    )


def _media(
    where: str, media: declared.PromptImage | declared.PromptAudio | None
) -> PromptMedia | None:
    if media is None:
        return None
    data = joined_base64(media.data, f"{where}.data")
    return PromptMedia(mime_type=media.mime_type, data=data)
