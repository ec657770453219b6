@echo The lab runs in WSL, not in Windows itself: open Ubuntu (once: wsl --install -d Ubuntu) and run ./lab there. 1>&2
@exit /b 1
