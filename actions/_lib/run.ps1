# Hands over to run.sh, in the bash of Git for Windows: for steps of your own in PowerShell. The actions call run.sh themselves.
#
#   run.ps1 TOOL [ARGUMENT]...
#
# Ends with the tool's own code; with 2 where Git for Windows is not here.
$ErrorActionPreference = 'Stop'

# Not the bash on PATH, which may be that of WSL: the tools there would be Linux's.
$git = Get-Command git.exe -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
$bash = $null
if ($git) {
    # C:\Program Files\Git\mingw64\libexec\git-core
    $core = & $git.Source --exec-path
    $root = Split-Path (Split-Path (Split-Path $core))
    $bash = Join-Path $root 'bin\bash.exe'
}
if (-not $bash -or -not (Test-Path -LiteralPath $bash)) {
    [Console]::Error.WriteLine('windlass: the bash of Git for Windows is not here')
    [Console]::Error.WriteLine('  hint: install Git for Windows, and have its git.exe on PATH')
    exit 2
}
# With a slash: run.sh looks for what lies beside it up to its last one.
& $bash "$PSScriptRoot/run.sh" @args
exit $LASTEXITCODE
